// `[arbitration] prefer` is a list of names, and a slip in one prefers nobody.

extension ArbitrationSettings {
    /// What to say about preferred pucks that cannot connect; nil when all can.
    /// - Parameter names: of those that have a token.
    func complaint(tokens names: [String]) -> String? {
        var strangers = ""
        for name in preferred where !names.contains(name) {
            strangers += (strangers.isEmpty ? "" : ", ") + "'\(name)'"
        }
        if strangers.isEmpty { return nil }
        return
            "[arbitration] prefer: no puck has a token under the name \(strangers), so it is never preferred; correct the "
            + "name ('puckhub token list' shows them), or make a token with 'puckhub token add NAME'"
    }
}

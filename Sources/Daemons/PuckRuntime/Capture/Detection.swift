import PuckBase

/// Which of the known boards this machine is, and why.
struct Detection {
    enum Verdict: Equatable { case found(String), unknown, ambiguous([String]) }

    /// A board of which something was found.
    struct Candidate: Equatable {
        let board: BoardDescription
        /// What was found, in words.
        let found: [String]
        /// What its file names beside, and was not.
        let missing: [String]
    }

    /// Best first: those that lack nothing, and of these the ones with more to show.
    let candidates: [Candidate]
    let verdict: Verdict

    /// A board is recognised when of each kind of thing that its file names (card, chips, USB, EEPROM, overlay) one is
    /// there. Of several, the one with more kinds is meant: it is the more particular.
    init(_ boards: [BoardDescription], on hardware: Hardware) {
        var found: [Candidate] = []
        for board in boards {
            let candidate = Candidate(board, hardware)
            if !candidate.found.isEmpty { found.append(candidate) }
        }
        found.sort { a, b in
            if a.missing.isEmpty != b.missing.isEmpty { return a.missing.isEmpty }
            if a.found.count != b.found.count { return a.found.count > b.found.count }
            return a.board.name < b.board.name
        }
        candidates = found
        let best = found.filter { $0.missing.isEmpty && $0.found.count == found[0].found.count }
        switch best.count {
        case 0: verdict = .unknown
        case 1: verdict = .found(best[0].board.name)
        default: verdict = .ambiguous(best.map { $0.board.name })
        }
    }
}

extension Detection.Candidate {
    init(_ board: BoardDescription, _ hardware: Hardware) {
        var found: [String] = []
        var missing: [String] = []
        func look(_ kind: String, _ wanted: [String], _ present: [String]) {
            if wanted.isEmpty { return }
            if let hit = wanted.first(where: { present.contains($0) }) {
                found.append("\(kind) \(hit)")
            } else {
                var list = ""
                for word in wanted { list += (list.isEmpty ? "" : " or ") + word }
                missing.append("\(kind) \(list)")
            }
        }
        look("sound card", board.cards, hardware.cards.map { $0.id })
        look("I2C chip", board.chips, hardware.chips)
        look("USB device", board.usb, hardware.usb)
        look("HAT EEPROM", board.hat.isEmpty ? [] : [board.hat], [hardware.hat])
        look("overlay", board.overlays, hardware.overlays)
        self.init(board: board, found: found, missing: missing)
    }
}

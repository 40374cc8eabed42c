/// The word of `candidates` that is most like `word`, for "did you mean" messages; nil when none is near: more than a
/// third of the longer word's letters (at least one, at most three) would have to change.
public func nearest(to word: String, in candidates: [String]) -> String? {
    let letters = Array(word.utf8)
    var best: (word: String, distance: Int)?
    for candidate in candidates {
        let other = Array(candidate.utf8)
        let allowed = min(3, max(1, max(letters.count, other.count) / 3))
        let distance = editDistance(letters, other)
        if distance <= allowed, best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
    }
    return best?.word
}

/// How many letters must be inserted, removed, changed or swapped with their neighbour to make `b` out of `a`
/// (optimal string alignment). Words longer than 64 bytes count as entirely different: nobody mistypes those.
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.count > 64 || b.count > 64 { return a == b ? 0 : max(a.count, b.count) }
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforePrevious = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    var row = previous
    for i in 1...a.count {
        row[0] = i
        for j in 1...b.count {
            let change = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
            row[j] = min(change, min(previous[j], row[j - 1]) + 1)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                row[j] = min(row[j], beforePrevious[j - 2] + 1)
            }
        }
        beforePrevious = previous
        previous = row
    }
    return row[b.count]
}

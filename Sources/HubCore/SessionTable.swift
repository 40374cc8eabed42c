/// The sessions by their connections, in order of the connections' numbers. These count up, so a new session stands at the
/// end, and an open one is found in ten steps of a binary search where a thousand are: several are needed for a message,
/// and hashing cost five times as much.
struct SessionTable: Sendable {
    private(set) var ids: [ConnectionID] = []
    /// As `ids`. A session is looked at and changed here, in its place: a copy costs more than what most messages do.
    var rows: [Session] = []

    var count: Int { ids.count }

    /// Where a session stands; until the next one is added or removed.
    func position(of id: ConnectionID) -> Int? {
        let i = firstPosition(notBefore: id)
        return i < ids.count && ids[i] == id ? i : nil
    }

    /// A copy.
    subscript(id: ConnectionID) -> Session? { position(of: id).map { rows[$0] } }

    mutating func add(_ session: Session) {
        let i = firstPosition(notBefore: session.connection)
        precondition(i == ids.count || ids[i] != session.connection, "a connection number is used once")
        ids.insert(session.connection, at: i)
        rows.insert(session, at: i)
    }

    mutating func remove(at i: Int) {
        ids.remove(at: i)
        rows.remove(at: i)
    }

    private func firstPosition(notBefore id: ConnectionID) -> Int {
        var (low, high) = (0, ids.count)
        while low < high {
            let middle = (low + high) / 2
            if ids[middle].number < id.number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

import PuckBase

// The fault `hub-disk-full`: for a while nothing can be written on the hub's disk, or nothing can be opened at all. Pucks
// must not notice: who has a token keeps it, whatever becomes of its replacement. In half of the cases somebody revokes
// the token of a guest meanwhile: it has ended at once, and is off the disk soon after that takes writes again.

extension House {
    /// The hub tries to write its tokens every 30 s.
    private static let storedWithin = Interval.seconds(31)

    func fillDisk(_ fault: Fault) {
        diskClearsAt = max(diskClearsAt, fault.end)
        hub.disk.isFull = true
        if fault.choice > 0.7 { hub.disk.isUnreadable = true }
        queue.schedule(.diskClears, at: fault.end)
        guard fault.secondChoice < 0.5, hub.isRunning, !hub.isFrozen, guest.revokedIn == nil else { return }
        revokeGuest()
        queue.schedule(.storageCheck, at: diskClearsAt + Self.storedWithin)
    }

    func diskClears() {
        if now < diskClearsAt { return }
        hub.disk.isFull = false
        hub.disk.isUnreadable = false
    }

    private func revokeGuest() {
        // After a start with an old file, or before the hub has looked at a new one, it may be another one's or nobody's.
        guard hub.authorize(guest.token) == Guest.name else { return }
        guest.revokedIn = hub.run
        let reply = hub.ask("revoke \(Guest.name)")
        if hub.authorize(guest.token) != nil {
            observer.found(.storage, nil, "a token that was revoked lets somebody in", now)
        }
        // The command fails, so that a script notices; what it says is for people.
        if !reply.hasPrefix("error: ") {
            observer.found(.storage, nil, "a revocation on a full disk is called done: \"\(reply)\"", now)
        }
    }

    /// The disk has taken writes for long enough.
    func checkStorage() {
        guard let run = guest.revokedIn else { return }
        let since = max(diskClearsAt, hub.frozenUntil)
        if now < since + Self.storedWithin {
            return queue.schedule(.storageCheck, at: since + Self.storedWithin)
        }
        // One that died meanwhile has said that a restart would undo it.
        if hub.run == run, hub.isRunning, hub.isOnDisk(Guest.name) {
            observer.found(.storage, nil, "a revocation is not on a disk that takes writes", now)
        }
        guest.revokedIn = nil
        if !hub.isOnDisk(Guest.name) { guest.token = hub.makeToken(for: Guest.name) }
    }

    /// A hub that cannot read its tokens does not start, and the pucks feel that.
    func hubCannotStart() {
        let again = now + SimulatedHub.startAgain
        for i in pucks.indices { observer.disturbances.disturb(i, until: again + Self.aftermath) }
        queue.schedule(.hubStarts, at: again)
    }

    /// At the end: a hub that starts now lets everybody in.
    func inspectStorage() {
        for puck in pucks where !scenario.plan.absentPucks.contains(puck.index) && puck.index != copyIndex {
            if hub.owner(onDisk: puck.token) != puck.setup.name {
                observer.found(.storage, puck.index, "its token is not on the hub's disk", now)
            }
        }
    }
}

/// Somebody whose token is revoked now and then, and who has no puck in the house.
struct Guest {
    static let name = "guest"

    var token: String
    /// The hub's life in which it was; nil while it is not.
    var revokedIn: Int?
}

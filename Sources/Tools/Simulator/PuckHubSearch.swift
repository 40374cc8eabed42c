import PuckBase
import PuckCore

// A puck's search for a hub that moved: the counterpart of the search by mDNS.

extension SimulatedPuck {
    /// As long as avahi-browse takes when something has answered.
    private static let searchTakes = Interval.milliseconds(1_200)
    private static let hub = "hub"

    /// Every address of the house is told by a number.
    static func number(of address: HubAddress) -> Int { address.host == hub ? Int(address.port) : -1 }

    func searchForHub() {
        note(.hubSearched(index))
        house.queue.schedule(.hubSearchEnds, at: house.now + Self.searchTakes, subject: index, number: run)
    }

    /// An impostor always answers, with the hub's fingerprint; the hub does when it is there.
    func searchEnded(run: Int) {
        guard isRunning, run == self.run else { return }
        var found = [
            HubCandidate(address: HubAddress(host: "impostor", port: 1), namesPinnedCertificate: true),
            HubCandidate(address: HubAddress(host: "neighbour", port: 1), namesPinnedCertificate: false),
        ]
        let isCut = house.network.up[index].isBlocked(house.now) || house.network.down[index].isBlocked(house.now)
        if house.hub.isRunning, !house.hub.isFrozen, !isCut {
            let address = HubAddress(host: Self.hub, port: UInt16(house.hub.address))
            found.append(HubCandidate(address: address, namesPinnedCertificate: true))
        }
        perform(.hubsFound(found))
    }
}

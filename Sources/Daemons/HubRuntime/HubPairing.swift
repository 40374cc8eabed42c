import Credentials
import HubCore
import HubService
import LinkTransport
import LinuxIO
import PuckBase
import PuckWire
import TokenList

/// Pairs pucks: offers that `puckhub pair` opens, and those who come with a code or a join line. It counts in `desk`, and
/// keeps beside each offer what its code and its line are checked with. Neither of them is kept itself, and nothing of it
/// outlives the process.
final class HubPairing {
    /// One puck in the middle of SRP-6a. One proof, then the connection ends.
    private struct Attempt {
        let offer: UInt32
        let server: PasswordServer
        let transcript: PairingTranscript
    }

    private let outside: LinuxHub
    private let tokens: HubTokens<LinuxHub>
    private let trust: HubTrust
    private let place: HubPlace
    private var desk = PairingDesk()
    private var verifiers: [UInt32: PasswordVerifier] = [:]
    /// SHA-256 of the join lines' secrets.
    private var secrets: [UInt32: String] = [:]
    /// By connection; at most `ServerLink.strangersAtOnce`.
    private var attempts: [UInt32: Attempt] = [:]

    init(_ outside: LinuxHub, _ tokens: HubTokens<LinuxHub>, _ trust: HubTrust, _ place: HubPlace) {
        self.outside = outside
        self.tokens = tokens
        self.trust = trust
        self.place = place
        // unowned(unsafe) is sound: `deinit` takes the callbacks back. (Embedded Swift has no checked unowned.)
        link.admitStranger = { [unowned(unsafe) self] in admit() }
        link.onStrangerMessage = { [unowned(unsafe) self] id, peer, bytes in received(id, peer, bytes) }
        link.onStrangerClosed = { [unowned(unsafe) self] id in attempts[id.value] = nil }
    }

    deinit {
        link.admitStranger = { "This hub has ended." }
        link.onStrangerMessage = { _, _, _ in }
        link.onStrangerClosed = { _ in }
    }

    private var link: ServerLink { outside.link }
    private var log: Log { outside.log }

    private func forget(_ offers: [UInt32]) {
        for number in offers {
            verifiers[number] = nil
            secrets[number] = nil
        }
    }

    // MARK: `puckhub pair`

    /// Opens an offer and says what belongs to it, as key=value.
    /// - Parameter words: the puck's id, its room, if any, and its own code, if it has one.
    func offer(_ words: [String]) -> String {
        let puckID = words[0]
        let room = words.dropFirst().first { !$0.utf8.starts(with: PairCommand.codeKey.utf8) }
        let given = words.dropFirst().first { $0.utf8.starts(with: PairCommand.codeKey.utf8) }
        guard !place.certificate.isInsecure else {
            return "error: a hub without TLS cannot pair ([tls] insecure = yes); use 'puckhub token add \(puckID)'"
        }
        guard PairCommand.isWord(puckID), room.map(PairCommand.isWord) ?? true else {
            return "error: a puck's id and a room are 1 to 32 of a-z 0-9 - _"
        }
        do throws(CredentialError) {
            guard let certificate = trust.shown else { return "error: the certificate that is shown is not known" }
            let code: String
            if let given {
                guard let typed = PairingSecret.typed(code: String(given.dropFirst(PairCommand.codeKey.utf8.count)))
                else {
                    return "error: a code has eight digits"
                }
                code = typed
            } else {
                code = try PairingSecret.code()
            }
            let secret = try PairingSecret.secret()
            let verifier = try PasswordVerifier(password: code)
            let (offer, gone) = desk.open(puckID: puckID, room: room, now: outside.now)
            forget(gone)
            verifiers[offer.number] = verifier
            secrets[offer.number] = DeviceToken.hash(secret)
            let line = JoinLine(
                host: place.host, port: place.port, fingerprint: certificate.shortFingerprint, secret: secret)
            log.notice("pairing.open", [Field("puck", puckID), Field("room", room ?? "")])
            return "code=\(code) line=\(line.text) minutes=\(PairingDesk.Limits.lifetime.wholeMilliseconds / 60_000)"
                + " replaces=\(tokens.list.devices.contains { $0.name == puckID } ? "yes" : "no")"
        } catch {
            return "error: \(error.message)"
        }
    }

    // MARK: Those who come to be paired

    /// Nil lets them in.
    private func admit() -> String? {
        let now = outside.now
        forget(desk.expire(now: now))
        do throws(PairingDesk.Refusal) {
            try desk.admit(now: now)
            return nil
        } catch {
            return Self.words(error).text
        }
    }

    private func received(_ id: LinkTransport.ConnectionID, _ peer: String, _ bytes: UnsafeRawBufferPointer) {
        guard let channel = link.channel(of: id) else {
            return refuse(id, peer, .invalid, "pairing needs TLS 1.3: update the older of the two programs")
        }
        do throws(WireError) {
            switch try PairingRequest.parse(bytes) {
            case .begin(let key): begin(id, peer, key, channel)
            case .proof(let proof): prove(id, peer, proof)
            case .secret(let secret): present(id, peer, secret)
            }
        } catch {
            refuse(id, peer, .invalid, error.detail)
        }
    }

    private func begin(_ id: LinkTransport.ConnectionID, _ peer: String, _ key: [UInt8], _ channel: SecureChannel) {
        guard attempts[id.value] == nil else { return refuse(id, peer, .invalid, "begun twice") }
        let offer: PairingDesk.Offer
        do throws(PairingDesk.Refusal) {
            offer = try desk.begin(from: ServerLink.group(of: peer), now: outside.now)
        } catch {
            let words = Self.words(error)
            return refuse(id, peer, words.reason, words.text)
        }
        guard let verifier = verifiers[offer.number] else { preconditionFailure("an offer has its verifier") }
        do throws(CredentialError) {
            let server = try PasswordServer(verifier, clientKey: key)
            let transcript = PairingTranscript(
                salt: verifier.salt, puckKey: key, hubKey: server.publicKey, certificate: channel.certificate,
                channelBinding: channel.binding)
            attempts[id.value] = Attempt(
                offer: offer.number, server: server, transcript: transcript)
            reply(id, .challenge(salt: verifier.salt, key: server.publicKey))
        } catch {
            refuse(id, peer, .invalid, error.message)
        }
    }

    private func prove(_ id: LinkTransport.ConnectionID, _ peer: String, _ proof: [UInt8]) {
        guard let attempt = attempts.removeValue(forKey: id.value) else {
            return refuse(id, peer, .invalid, "a proof without a beginning")
        }
        let now = outside.now
        guard desk.mayProve(attempt.offer, now: now), let offer = desk.offer(attempt.offer) else {
            let words = Self.words(.nothingIsOpen)
            return refuse(id, peer, words.reason, words.text)
        }
        let key = attempt.server.key
        guard PairingTranscript.areEqual(proof, attempt.transcript.puckProof(key: key)) else {
            desk.wrong(offer.number, from: ServerLink.group(of: peer), now: now)
            return refuse(
                id, peer, .wrong, "the code is wrong, or somebody sits between this puck and the hub")
        }
        finish(id, peer, offer, proof: attempt.transcript.hubProof(key: key))
    }

    private func present(_ id: LinkTransport.ConnectionID, _ peer: String, _ secret: String) {
        let now = outside.now
        forget(desk.expire(now: now))
        do throws(PairingDesk.Refusal) { try desk.admit(now: now) } catch {
            let words = Self.words(error)
            return refuse(id, peer, words.reason, words.text)
        }
        let hash = DeviceToken.hash(secret)
        var found: UInt32?
        for (number, known) in secrets where DeviceToken.areEqual(known, hash) { found = number }
        guard let found, let offer = desk.offer(found) else {
            return refuse(id, peer, .wrong, "this join line is not, or no longer, one of this hub's")
        }
        finish(id, peer, offer, proof: [])
    }

    private func finish(
        _ id: LinkTransport.ConnectionID, _ peer: String, _ offer: PairingDesk.Offer, proof: [UInt8]
    ) {
        do throws(CredentialError) {
            let token = try tokens.list.pair(offer.puckID, room: offer.room, nowUnixSeconds: outside.unixSeconds)
            // Used up only now: a hub that cannot write tells so, and the same code works once it can.
            desk.close(offer.number)
            forget([offer.number])
            reply(
                id,
                .done(
                    Pairing(
                        proof: proof, puckID: offer.puckID, room: offer.room, token: token,
                        unixSeconds: outside.unixSeconds)),
                closing: true)
            log.notice(
                "pairing.done",
                [
                    Field("puck", offer.puckID), Field("room", offer.room ?? ""), Field("peer", peer),
                    Field("by", proof.isEmpty ? "line" : "code"),
                ])
            tokens.noteList()
        } catch {
            log.error("tokens.refused", [Field("problem", error.message)])
            refuse(id, peer, .failed, "the hub cannot keep the token: its log says why")
        }
    }

    // MARK: Replies

    private func refuse(
        _ id: LinkTransport.ConnectionID, _ peer: String, _ reason: PairingReply.Refusal, _ text: String
    ) {
        log.warning(
            "pairing.refused", [Field("peer", peer), Field("reason", reason.rawValue), Field("detail", text)])
        reply(id, .refused(reason, text: text), closing: true)
    }

    private func reply(_ id: LinkTransport.ConnectionID, _ reply: PairingReply, closing: Bool = false) {
        reply.payload().withUnsafeBytes {
            _ = link.send(to: id, head: UnsafeRawBufferPointer(start: nil, count: 0), body: $0)
        }
        if closing { link.close(id, code: CloseCode.normal, reason: "pairing has ended") }
    }

    private static func words(_ refusal: PairingDesk.Refusal) -> (reason: PairingReply.Refusal, text: String) {
        switch refusal {
        case .nothingIsOpen:
            (
                .none,
                "no code is open (it has been used, replaced, tried wrongly too often, or is older than ten minutes): "
                    + "run 'puckhub pair NAME' on the hub"
            )
        case .tooManyWrong:
            (
                .attempts,
                "too many wrong ones came from this address: use the join line, or run 'puckhub pair NAME' on the hub for a new code"
            )
        case .tooMany: (.attempts, "too many attempts within a minute: wait one")
        }
    }
}

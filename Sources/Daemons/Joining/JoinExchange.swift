import Credentials
import LinkTransport
import LinuxIO
import PuckBase
import PuckWire

/// What a person has typed: the short code, or a whole line.
public enum JoinSecret: Equatable, Sendable {
    /// Eight digits.
    case code(String)
    case line(JoinLine)

    /// - Parameter text: as `puckhub pair` printed it. Nil when it is neither.
    public init?(_ text: String) {
        if let code = PairingSecret.typed(code: text) {
            self = .code(code)
        } else if let line = JoinLine(text) {
            self = .line(line)
        } else {
            return nil
        }
    }
}

/// What came of it.
public struct Joined: Equatable, Sendable {
    public let pairing: Pairing
    /// The hub's, which has been proven to be the right one.
    public let certificate: PeerCertificate
}

/// Why a puck was not paired.
public struct JoinFailure: Error, Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// Nobody to talk to.
        case unreachable
        /// The hub wants no puck just now.
        case nothingOpen
        /// The hub refused, or is not the right one.
        case refused
    }

    public let kind: Kind
    /// One sentence: what is wrong and what to do.
    public let text: String
}

/// The puck's half of pairing (docs/PROTOCOL.md §13), over one connection. Blocks until it has ended.
public final class JoinExchange {
    /// All of it; the hub gives it ten seconds from the TLS session on.
    static let patience = Interval.seconds(20)

    private let secret: JoinSecret
    private let loop: EventLoop
    private let link: ClientLink
    private var client: PasswordClient?
    private var expectedProof: [UInt8] = []
    private var channel: SecureChannel?
    private var outcome: Result<Joined, JoinFailure>?

    /// - Parameters:
    ///   - host: where the hub is, or is said to be.
    public static func run(_ secret: JoinSecret, host: String, port: UInt16) throws(JoinFailure) -> Joined {
        let exchange: JoinExchange
        do throws(TransportError) { exchange = try JoinExchange(secret, host, port) } catch {
            throw JoinFailure(kind: .unreachable, text: error.message)
        }
        return try exchange.outcomeOfRun().get()
    }

    private init(_ secret: JoinSecret, _ host: String, _ port: UInt16) throws(TransportError) {
        self.secret = secret
        loop = try EventLoop { _, _ in }
        var configuration = ClientLink.Configuration(
            host: host, port: port, token: "", security: .verified(.unproven))
        configuration.path = LinkProtocol.pairingPath
        link = try ClientLink(on: loop, configuration: configuration)
    }

    private func outcomeOfRun() -> Result<Joined, JoinFailure> {
        // unowned(unsafe) is sound: the callbacks are taken back before this object can go.
        link.onOpen = { [unowned(unsafe) self] in opened() }
        link.onMessage = { [unowned(unsafe) self] bytes in received(bytes) }
        link.onClosed = { [unowned(unsafe) self] failure in
            if outcome == nil { outcome = .failure(Self.failure(failure)) }
            loop.stop()
        }
        loop.onDeadline = { [unowned(unsafe) self] in
            fail(.unreachable, "the hub did not answer in time: look into its log, and try again")
        }
        loop.setDeadline((MonotonicClock.now() + Self.patience).nanoseconds)
        link.open()
        loop.run()
        link.onOpen = {}
        link.onMessage = { _ in }
        link.onClosed = { _ in }
        loop.onDeadline = {}
        return outcome ?? .failure(JoinFailure(kind: .unreachable, text: "the connection to the hub broke: try again"))
    }

    // MARK: The conversation

    private func opened() {
        guard let channel = link.channel else {
            return fail(.refused, Self.tooOld)
        }
        self.channel = channel
        switch secret {
        case .code:
            do throws(CredentialError) {
                let client = try PasswordClient()
                self.client = client
                send(.begin(key: client.publicKey))
            } catch {
                fail(.refused, error.message)
            }
        case .line(let line):
            // Before anything is said to it: is this the hub that the line is of?
            let shown = PeerCertificate(der: channel.certificate).shortFingerprint
            guard DeviceToken.areEqual(shown, line.fingerprint) else {
                return fail(
                    .refused,
                    "this is not the hub that made the join line (its certificate is another): "
                        + "check the address, and run 'puckhub pair' on the hub that is meant")
            }
            send(.secret(line.secret))
        }
    }

    private func received(_ bytes: UnsafeRawBufferPointer) {
        guard outcome == nil else { return }
        do throws(WireError) {
            switch try PairingReply.parse(bytes) {
            case .challenge(let salt, let key): challenged(salt, key)
            case .done(let pairing): finish(pairing)
            case .refused(_, let text): fail(.refused, "the hub refused: " + Self.printable(text))
            }
        } catch {
            fail(
                .refused,
                "the hub's answer cannot be understood (\(error.detail)): update the older of the two programs")
        }
    }

    /// One guess: the hub gets one proof of this code, which is worth nothing to whoever does not know it.
    private func challenged(_ salt: [UInt8], _ key: [UInt8]) {
        guard case .code(let code) = secret, let channel, let client, expectedProof.isEmpty else {
            return fail(.refused, "the hub's answer came out of order")
        }
        do throws(CredentialError) {
            let shared = try client.key(password: code, salt: salt, serverKey: key)
            let transcript = PairingTranscript(
                salt: salt, puckKey: client.publicKey, hubKey: key, certificate: channel.certificate,
                channelBinding: channel.binding)
            expectedProof = transcript.hubProof(key: shared)
            send(.proof(transcript.puckProof(key: shared)))
        } catch {
            fail(.refused, error.message)
        }
    }

    private func finish(_ pairing: Pairing) {
        guard let channel else { preconditionFailure("nothing is received on a link that never opened") }
        if case .code = secret {
            // Without its proof, whoever this is may be anybody, and what he gives is worth nothing.
            guard !expectedProof.isEmpty, PairingTranscript.areEqual(pairing.proof, expectedProof) else {
                return fail(.refused, "this hub does not know the code: it is not the one that showed it")
            }
        }
        outcome = .success(Joined(pairing: pairing, certificate: PeerCertificate(der: channel.certificate)))
        link.close()
    }

    private func send(_ request: PairingRequest) {
        let isSent = request.payload().withUnsafeBytes {
            link.send(head: UnsafeRawBufferPointer(start: nil, count: 0), body: $0)
        }
        if !isSent { fail(.unreachable, "the connection to the hub broke: try again") }
    }

    private func fail(_ kind: JoinFailure.Kind, _ text: String) {
        if outcome == nil { outcome = .failure(JoinFailure(kind: kind, text: text)) }
        link.close()
    }

    private static let tooOld = "the other end does not speak TLS 1.3, without which nothing can be paired"

    private static func failure(_ failure: LinkFailure) -> JoinFailure {
        if failure.isTLSVersion { return JoinFailure(kind: .refused, text: tooOld) }
        return switch failure {
        case .unauthorized:
            JoinFailure(
                kind: .nothingOpen,
                text: "the hub has nothing open for a new puck, or does not listen to this address any more: "
                    + "run 'puckhub pair NAME' on it (its log says more)")
        case .wrongPath, .wrongSubprotocol:
            JoinFailure(kind: .refused, text: "that hub cannot pair: it is older, or runs without TLS")
        case .hubFull:
            JoinFailure(kind: .unreachable, text: "other pucks are being paired just now: try again in a moment")
        default: JoinFailure(kind: .unreachable, text: failure.advice)
        }
    }

    /// What another machine says, for a terminal.
    private static func printable(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}

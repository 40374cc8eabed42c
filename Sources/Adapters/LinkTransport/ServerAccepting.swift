import CLinux
import CWebSockets
import PuckBase

// From accept to the handshake: what `Door` decides is done here.
extension ServerLink {
    func acceptWaiting() {
        for _ in 0..<Self.acceptsPerRound {
            var peer = SocketAddress()
            let socket = peer.withMutableRaw { accept(listener, $0, &$1) }
            if socket < 0 {
                let code = puck_errno()
                // A peer that went away between its SYN and our accept is nobody's fault.
                if code == ECONNABORTED || code == EINTR { continue }
                if code == EAGAIN { break }
                // Without a descriptor left: somebody who is silent has one.
                if let number = door.turnAway(now: monotonicNanoseconds()) {
                    turnAway(number)
                    continue
                }
                pauseAccepting(code)
                break
            }
            arrived(socket, from: peer)
        }
        setTimer()
    }

    private func arrived(_ socket: Int32, from peer: SocketAddress) {
        puck_fcntl(socket, F_SETFL, Int(O_NONBLOCK))
        puck_fcntl(socket, F_SETFD, Int(FD_CLOEXEC))
        let now = monotonicNanoseconds()
        lastCaller &+= 1
        precondition(lastCaller != 0, "four billion connections: their numbers would repeat")
        let number = lastCaller
        let caller = Caller(socket: socket, peer: peer, deadline: now + configuration.handshakeTimeoutNanoseconds)
        do throws(TransportError) {
            // Sound, here and below: deinit removes the handles, and what runs later asks `life`.
            caller.handle = try loop.adopt(
                fileDescriptor: socket, interest: EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
            ) { [unowned(unsafe) self] _ in callerSpoke(number) }
        } catch {
            return caller.close()
        }
        callers[number] = caller
        if let giver = door.arrived(number, from: PeerAddress(peer), now: now) { turnAway(giver) }
    }

    /// Something came from a caller: looks at it, and leaves it to be read by whoever gets the connection.
    private func callerSpoke(_ number: UInt32) {
        guard let caller = callers[number] else { return }
        switch caller.look(isTLS: isTLS) {
        case .incomplete: return
        case .ready:
            door.spoke(number)
            serveDoor()
        case .plaintext:
            refusePlaintext(caller)
            dismiss(number)
        case .gone: dismiss(number)
        }
        setTimer()
    }

    /// Begins the handshakes whose turn it is, a few a round.
    func serveDoor() {
        for _ in 0..<Self.handshakesPerRound {
            guard let (number, giver) = door.next(now: monotonicNanoseconds()) else { return }
            if let giver { giveWay(giver) }
            guard let caller = callers[number] else { preconditionFailure("a caller has its socket") }
            callers[number] = nil
            adopt(caller, number)
        }
        guard door.hasSpoken, !willServeDoor else { return }
        willServeDoor = true
        loop.later { [unowned(unsafe) self, life] in
            if life.isOver { return }
            willServeDoor = false
            serveDoor()
            setTimer()
        }
    }

    private func giveWay(_ doorNumber: UInt32) {
        guard let connection = connections.values.first(where: { $0.doorNumber == doorNumber }) else { return }
        turnedAway.note(connection.peer, at: monotonicNanoseconds(), loop)
        drop(connection)
    }

    func drop(_ connection: ServerConnection) {
        connection.state = .dead
        connection.deadline = nil
        connection.kill()
    }

    private func turnAway(_ number: UInt32) {
        guard let caller = callers[number] else { return }
        turnedAway.note(caller.peer.numericHost, at: monotonicNanoseconds(), loop)
        callers[number] = nil
        caller.close()
    }

    func dismiss(_ number: UInt32) {
        guard let caller = callers[number] else { return }
        door.gone(number, now: monotonicNanoseconds())
        callers[number] = nil
        caller.close()
    }

    /// The listener stays readable while accept fails for want of descriptors; without a pause the loop would spin.
    private func pauseAccepting(_ code: Int32) {
        loop.log(.error, "cannot accept connections (\(systemMessage(code))): trying again in a second")
        listenerHandle?.remove()
        listenerHandle = nil
        acceptResumes = monotonicNanoseconds() + Self.acceptPauseNanoseconds
        setTimer()
    }

    func resumeAccepting() {
        acceptResumes = nil
        do throws(TransportError) {
            listenerHandle = try loop.adopt(fileDescriptor: listener) { [unowned(unsafe) self] _ in acceptWaiting() }
        } catch {
            acceptResumes = monotonicNanoseconds() + Self.acceptPauseNanoseconds
        }
    }

    /// Hands a caller's socket, with what was said on it, to libwebsockets.
    private func adopt(_ caller: Caller, _ doorNumber: UInt32) {
        let socket = caller.release()
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let number = loop.number(for: endpoint)
        let connection = ServerConnection(id: ConnectionID(number), address: caller.peer, doorNumber: doorNumber)
        connection.deadline = caller.deadline
        connections[number] = connection
        adopting = connection
        var descriptor = lws_sock_file_fd_type()
        descriptor.sockfd = socket
        var type = LWS_ADOPT_SOCKET.rawValue | LWS_ADOPT_HTTP.rawValue
        if isTLS { type |= LWS_ADOPT_ALLOW_SSL.rawValue }
        let wsi = lws_adopt_descriptor_vhost(host, lws_adoption_type(type), descriptor, nil, nil)
        adopting = nil
        if let wsi, connection.wsi == wsi {
            setSocketNumber(wsi, number)
        } else {
            connections[number] = nil
            loop.retire(number)
            door.gone(doorNumber, now: monotonicNanoseconds())
        }
        setTimer()
    }

    /// A line about somebody who has shown no token: a flood of them must not fill the log.
    func logStranger(_ level: TransportLogLevel, _ text: String) {
        lines.refill(now: monotonicNanoseconds())
        guard lines.hasAny else {
            linesLeftOut += 1
            return
        }
        lines.take()
        loop.log(level, linesLeftOut == 0 ? text : text + " (\(linesLeftOut) lines like this were left out before it)")
        linesLeftOut = 0
    }
}

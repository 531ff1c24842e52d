internal import Foundation
internal import Glibc
internal import Logging
internal import MailTransfer
internal import NIOCore
internal import NetworkTransport

/// Takes administration requests from commands on this machine, by a Unix socket that only the server's own user may open.
/// JSON lines: one request, one reply, in order; as many as the client likes.
struct ControlServer: Sendable {
    private let listener: Listener
    private let directory: DataDirectory

    /// Connections at a time. Each is one command that somebody typed.
    static let maximumConnections = 64

    static func start(
        _ directory: DataDirectory, administration: Administration, group: any EventLoopGroup, logger: Logger
    ) async throws -> ControlServer {
        let path = try ControlSocket(directory)
        let limits = ConnectionGate.Limits(connections: maximumConnections, connectionsPerAddress: maximumConnections)
        let listener = try await Listener.start(
            Listener.Options(service: "control", usesImplicitTLS: false, limits: limits), on: [.unix(path: path.path)],
            group: group, tls: nil
        ) { ControlSession(connection: $0, administration: administration, logger: logger) }
        guard chmod(directory.controlSocket, 0o600) == 0 else {
            await listener.close(patience: .zero)
            throw FileFailure("cannot protect \(directory.controlSocket): \(String(cString: strerror(errno)))")
        }
        return ControlServer(listener: listener, directory: directory)
    }

    func close() async {
        unlink(directory.controlSocket)
        await listener.close(patience: .milliseconds(200))
    }
}

/// One command's conversation.
actor ControlSession: ConnectionSession {
    /// How long a client may say nothing: longer than a person takes to type a password in between.
    static let idleLimit = Duration.seconds(300)

    private let connection: Connection
    private let administration: Administration
    private let logger: Logger
    private var buffer: [UInt8] = []
    private var isWorking = false
    private var isOver = false
    /// From the request for it on, the connection carries an import's frames.
    private var importing: ControlImport?
    /// For whom this client has segment files kept: until it says otherwise, or goes.
    private var holders: Set<Int64> = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { connection.executor }

    init(connection: Connection, administration: Administration, logger: Logger) {
        self.connection = connection
        self.administration = administration
        self.logger = logger
    }

    func opened() { connection.setDeadline(after: ControlSession.idleLimit) }

    func received(_ bytes: ByteBuffer) {
        buffer.append(contentsOf: bytes.readableBytesView)
        guard !isWorking else { return connection.pauseReading() }
        isWorking = true
        Task { await work() }
    }

    func tlsEstablished() {}

    func deadlinePassed() { connection.close() }

    func closed(_ reason: CloseReason) {
        isOver = true
        buffer = []
        importing = nil
        endHolds()
    }

    private func noteHold(_ request: AdministrationRequest?) {
        guard case .segmentsHold(let holder, let seconds)? = request else { return }
        if seconds > 0 { holders.insert(holder) } else { holders.remove(holder) }
        if isOver { endHolds() }
    }

    /// A backup that was killed keeps nothing from being tidied up.
    private func endHolds() {
        let ended = holders
        holders = []
        guard !ended.isEmpty else { return }
        Task { [administration] in
            for holder in ended { _ = await administration.perform(.segmentsHold(holder: holder, seconds: 0)) }
        }
    }

    func serverIsClosing() { if !isWorking { connection.close() } }

    /// Answers line after line until all that are whole are done.
    private func work() async {
        while !isOver, importing == nil, let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
            let line = Array(buffer[..<end])
            buffer.removeSubrange(...end)
            connection.setDeadline(after: nil)
            let (answer, request) = await ControlSession.answer(line, administration, logger)
            noteHold(request)
            connection.write(answer)
            connection.setDeadline(after: ControlSession.idleLimit)
            await connection.drained()
            switch request.flatMap({ administration.transfer($0) }) {
            case .imports(let importer): importing = ControlImport(importer)
            case .exports(let exporter, let mailbox, let uid): await export(exporter, mailbox, above: uid)
            case nil: break
            }
        }
        while let importing, !isOver, !buffer.isEmpty {
            connection.setDeadline(after: nil)
            importing.frames.append(buffer)
            buffer = []
            guard await stepImport(importing) else { return }
        }
        isWorking = false
        guard !isOver else { return }
        guard buffer.count <= AdministrationRequest.maximumLine else {
            let limit = AdministrationRequest.maximumLine
            connection.write(
                ControlSession.encoded(
                    .failure(AdministrationFailure(.invalid, "the request is longer than \(limit) octets"))))
            return connection.close()
        }
        connection.setDeadline(after: ControlSession.idleLimit)
        connection.resumeReading()
    }

    /// Beside the event loop, which mail connections share: a list of all accounts takes its time to be encoded.
    @concurrent private static func answer(
        _ line: [UInt8], _ administration: Administration, _ logger: Logger
    ) async -> (answer: [UInt8], request: AdministrationRequest?) {
        guard let request = try? JSONDecoder().decode(AdministrationRequest.self, from: Data(line)) else {
            let failure = AdministrationFailure(
                .invalid, "the server does not know this request",
                remedy: "is it of another version than the command?")
            return (encoded(.failure(failure)), nil)
        }
        let response = await administration.perform(request)
        logger.info(
            "administration",
            metadata: ["request": "\(request.name)", "outcome": "\(response.isFailure ? "refused" : "done")"])
        return (encoded(response), response.isFailure ? nil : request)
    }

    // MARK: What transfers use

    func tell(_ response: AdministrationResponse) {
        connection.write(ControlSession.encoded(response))
        connection.flush()
    }

    func endTransfer(_ response: AdministrationResponse) {
        guard !isOver else { return }
        importing = nil
        tell(response)
        connection.close()
    }

    func send(_ frame: TransferFrame) { connection.write(frame.encoded) }

    func flushAll() async { await connection.drained() }

    /// Waits when more than `limit` octets have not gone out. False when the client is gone.
    func waitForClient(_ limit: Int) async -> Bool {
        if connection.pendingBytes > limit {
            connection.setDeadline(after: ControlSession.idleLimit)
            await connection.drained()
        }
        return !isOver
    }

    /// Encoding plain values cannot fail; an empty line would tell the client that it did.
    private static func encoded(_ response: AdministrationResponse) -> [UInt8] {
        Array((try? JSONEncoder().encode(response)) ?? Data()) + [UInt8(ascii: "\n")]
    }
}

extension AdministrationRequest {
    /// The case's name, without what it carries: for the log.
    var name: String { Mirror(reflecting: self).children.first?.label ?? "\(self)" }
}

extension AdministrationResponse {
    var isFailure: Bool {
        if case .failure = self { return true }
        return false
    }
}

internal import Foundation
internal import Glibc
internal import Logging
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

    nonisolated var unownedExecutor: UnownedSerialExecutor { connection.executor }

    init(connection: Connection, administration: Administration, logger: Logger) {
        self.connection = connection
        self.administration = administration
        self.logger = logger
    }

    func opened() { connection.setDeadline(after: ControlSession.idleLimit) }

    func received(_ bytes: ByteBuffer) {
        buffer.append(contentsOf: bytes.readableBytesView)
        step()
    }

    func tlsEstablished() {}

    func deadlinePassed() { connection.close() }

    func closed(_ reason: CloseReason) { buffer = [] }

    func serverIsClosing() { if !isWorking { connection.close() } }

    /// Takes the next line when none is being worked on.
    private func step() {
        guard !isWorking else { return connection.pauseReading() }
        guard let end = buffer.firstIndex(of: UInt8(ascii: "\n")) else {
            if buffer.count > AdministrationRequest.maximumLine {
                reply(
                    .failure(
                        AdministrationFailure(
                            .invalid, "the request is longer than \(AdministrationRequest.maximumLine) octets")))
                connection.close()
            }
            return connection.resumeReading()
        }
        let line = Data(buffer[..<end])
        buffer.removeSubrange(...end)
        guard let request = try? JSONDecoder().decode(AdministrationRequest.self, from: line) else {
            reply(
                .failure(
                    AdministrationFailure(
                        .invalid, "the server does not know this request",
                        remedy: "is it of another version than the command?")))
            return step()
        }
        isWorking = true
        connection.setDeadline(after: nil)
        Task { await perform(request) }
    }

    private func perform(_ request: AdministrationRequest) async {
        let response = await administration.perform(request)
        logger.info(
            "administration",
            metadata: ["request": "\(request.name)", "outcome": "\(response.isFailure ? "refused" : "done")"])
        reply(response)
        isWorking = false
        connection.setDeadline(after: ControlSession.idleLimit)
        step()
    }

    private func reply(_ response: AdministrationResponse) {
        // Encoding plain values cannot fail; an empty line would tell the client that it did.
        connection.write(Array((try? JSONEncoder().encode(response)) ?? Data()) + [UInt8(ascii: "\n")])
        connection.flush()
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

import MailStore
import MartletCore
import NIOCore
import NIOPosix
import NetworkTransport
import SMTPProtocol
import Synchronization
import Testing

import OutboundDelivery

/// A message whose reading can be watched and made to fail.
final class TestMessage: MessageReading, Sendable {
    let bytes: [UInt8]
    private let failsAt: Int
    private let largest = Mutex(0)

    init(_ bytes: [UInt8], failsAt: Int = .max) {
        self.bytes = bytes
        self.failsAt = failsAt
    }

    convenience init(_ text: String = "Subject: x\r\n\r\nhello\r\n.dot\r\n") { self.init(Array(text.utf8)) }

    var size: Int { bytes.count }
    /// Octets of the largest piece that was read.
    var largestPiece: Int { largest.withLock { $0 } }

    func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8] {
        largest.withLock { $0 = max($0, range.count) }
        guard range.upperBound < failsAt else { throw .corrupt(reason: "as the test wants") }
        return Array(bytes[range.clamped(to: 0..<size)])
    }
}

extension RelayServices {
    static func test(
        timeouts: Duration = .seconds(10), tls: ClientTLS? = nil,
        makeSevenBit: @escaping @Sendable ([UInt8]) -> [UInt8]? = { _ in nil }
    ) throws -> RelayServices {
        let tls = try tls ?? ClientTLS(trustRoots: .certificates([]))
        var times = Timeouts()
        times.connect = timeouts
        times.session = SMTPClientTimeouts(all: timeouts)
        return RelayServices(
            group: NIOSingletons.posixEventLoopGroup, tls: tls, opportunisticTLS: tls, timeouts: times,
            makeSevenBit: makeSevenBit)
    }
}

extension RelayTarget {
    static func test(
        _ server: ScriptedServer, tls: TLSPolicy = .opportunistic, serverName: String? = "mx.test"
    ) -> RelayTarget {
        RelayTarget(
            address: "127.0.0.1", port: server.port, serverName: serverName, tls: tls, localName: "out.test")
    }
}

extension SMTPClientTransaction {
    static func test(_ recipients: [String] = ["anna"], body: BodyType = .sevenBit) -> SMTPClientTransaction {
        SMTPClientTransaction(
            reversePath: EmailAddress("ben@example.net").map { .address($0) } ?? .null,
            recipients: recipients.compactMap { EmailAddress("\($0)@example.com") }.map { Recipient($0) }, size: 0,
            body: body)
    }
}

extension SMTPTransactionResult {
    /// `accepted`, `refused 550` … with the stage, of each recipient.
    var summary: [String] {
        recipients.map { recipient in
            let word =
                switch recipient.outcome {
                case .accepted: "accepted"
                case .refused(let reply): "refused \(reply.code)"
                case .failed: "failed"
                case .unknown: "unknown"
                case .needsSMTPUTF8: "needs SMTPUTF8"
                case .tooLarge: "too large"
                case .cannotBeConverted: "cannot be converted"
                }
            return "\(word) at \(recipient.stage.rawValue)"
        }
    }
}

/// What `connect` throws; nil when it does not.
func failure(_ target: RelayTarget, _ services: RelayServices) async -> RelayFailure? {
    do throws(RelayFailure) {
        let connection = try await RelayConnection.connect(to: target, services: services)
        await connection.close()
        return nil
    } catch { return error }
}

/// Runs `body` with a server, and ends the server whatever happens.
func withServer(
    _ script: ScriptedServer.Script = ScriptedServer.Script(), _ body: (ScriptedServer) async throws -> Void
) async throws {
    let server = try await ScriptedServer.start(script)
    do { try await body(server) } catch {
        await server.stop()
        throw error
    }
    await server.stop()
}

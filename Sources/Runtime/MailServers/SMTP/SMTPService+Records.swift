internal import MailStore
internal import MartletCore
internal import NetworkTransport
internal import Records

extension SMTPService {
    /// Writes a record that goes with no message; a failing store is logged, the session goes on.
    func write(_ record: Record) {
        Task { [store, logger] in
            do { try await store.write(record) } catch {
                logger.error("record not written", metadata: ["reason": "\(error)"])
            }
        }
    }

    func recordRefusal(service: String, address: String, _ refusal: ConnectionGate.Refusal) {
        let (summary, remedy): (String, String) =
            switch refusal {
            case .tooMany(let limit):
                ("All \(limit) connections of this service are in use.", "raise smtp.max-connections, or wait")
            case .tooManyFromAddress(let limit):
                (
                    "This address has \(limit) connections open, the most that one may have.",
                    "raise smtp.max-connections-per-address"
                )
            case .closing: ("The server is shutting down.", "try again when it is back")
            }
        let now = clock.now()
        write(
            Record(
                code: authenticator.codes.next(at: now), kind: .connection, at: now, service: service,
                peer: Record.Peer(address: address),
                decisions: [
                    Decision(
                        check: "connection", outcome: .defer, summary: summary, reference: "RFC 5321 §3.8",
                        remedy: remedy)
                ], reply: "421"))
        logger.info("connection refused", metadata: ["peer": "\(address)", "service": "\(service)"])
    }
}

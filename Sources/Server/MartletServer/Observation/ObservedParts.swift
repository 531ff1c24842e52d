internal import Authentication
internal import NetworkTransport
internal import OutboundDelivery
internal import SMTPServer

/// The parts of a running server that count what they do.
struct ObservedParts: Sendable {
    var listeners: [Listener] = []
    var smtp: [(name: String, service: SMTPService)] = []
    var authenticator: Authenticator?
    var outbound: OutboundQueue?

    func with(_ outbound: OutboundQueue?) -> ObservedParts {
        var parts = self
        parts.outbound = outbound
        return parts
    }
}

import MartletCore
import SMTPProtocol

/// Drives a session as a server would, with decisions from a small policy, and writes down what it says: no sockets.
final class SessionDriver {
    var session: SMTPServerSession
    /// Replies in wire form, with `<TLS>` where a handshake happens and `<closed>` at the end.
    var output = ""
    /// Whole messages that were offered for storing.
    var messages: [[UInt8]] = []
    var refusals: [MessageRefusal] = []
    /// Refusals of senders and recipients that a server would record.
    var envelopeRefusals: [EnvelopeRefusal] = []
    var isClosed = false
    private var message: [UInt8] = []
    private var hasBegun = false

    init(
        role: SMTPServerSession.Role = .relay, limits: SMTPLimits = SMTPLimits(), canStartTLS: Bool = true,
        mechanisms: [String] = ["PLAIN"]
    ) {
        session = SMTPServerSession(
            role: role, hostname: "mx.test", limits: limits, canStartTLS: canStartTLS, mechanisms: mechanisms)
        output = String(decoding: session.greeting.bytes, as: UTF8.self)
    }

    func feed(_ text: String) { feed(Array(text.utf8)) }

    func feed(_ bytes: [UInt8]) {
        guard !isClosed else { return }
        bytes.withUnsafeBytes { session.receive($0) }
        run()
    }

    private func say(_ reply: SMTPReply) { output += String(decoding: reply.bytes, as: UTF8.self) }

    private func run() {
        while !isClosed {
            switch session.next() {
            case .needMore: return
            case .reply(let reply), .refuse(let reply): say(reply)
            case .refuseEnvelope(let reply, let reason):
                envelopeRefusals.append(reason)
                say(reply)
            case .replyAndClose(let reply):
                say(reply)
                output += "<closed>"
                isClosed = true
            case .startTLS(let reply):
                say(reply)
                output += "<TLS>"
                session.tlsEstablished(mechanisms: ["PLAIN"])
            case .authenticate(_, let response):
                if let response {
                    authenticate(response)
                } else {
                    say(session.authenticationChallenged([]))
                }
            case .authenticationResponse(let response): authenticate(response ?? [])
            case .sender(let path, _):
                let reply =
                    path.text.hasPrefix("bad")
                    ? SMTPReply(550, EnhancedStatus(5, 7, 1), "bad sender")
                    : SMTPReply(250, EnhancedStatus(2, 1, 0), "Ok")
                session.senderDecided(reply)
                say(reply)
            case .recipient(let path, let parameters):
                var reply = SMTPReply(250, EnhancedStatus(2, 1, 5), "Ok")
                if case .address(let address) = path, address.localPart == "nobody" {
                    reply = SMTPReply(550, EnhancedStatus(5, 1, 1), "no such user")
                }
                session.recipientDecided(reply)
                say(reply)
            case .beginMessage:
                message = []
                hasBegun = true
                if let reply = session.dataReply { say(reply) }
            case .content(let bytes): message += bytes
            case .abandonMessage:
                hasBegun = false
                say(SMTPServerSession.ok)
            case .endMessage:
                precondition(hasBegun, "a message ends that did not begin")
                messages.append(message)
                say(SMTPReply(250, EnhancedStatus(2, 0, 0), "stored"))
                session.messageDecided(isAccepted: true)
            case .refuseMessage(let reply, let reason):
                refusals.append(reason)
                say(reply)
                session.messageDecided()
            }
        }
    }

    private func authenticate(_ response: [UInt8]) {
        let reply =
            response == Array("\0anna\0secret".utf8)
            ? SMTPReply(235, EnhancedStatus(2, 7, 0), "welcome") : SMTPReply(535, EnhancedStatus(5, 7, 8), "no")
        session.authenticationEnded(reply)
        say(reply)
    }

    /// The codes of all replies, the last line of each: `250 2.1.0` as `250/2.1.0`.
    var codes: [String] {
        output.replacing("<TLS>", with: "").replacing("<closed>", with: "").split(separator: "\r\n").compactMap {
            line in
            guard line.count > 3, line.dropFirst(3).first == " " else { return nil }
            let words = line.split(separator: " ", maxSplits: 2)
            let isEnhanced =
                words.count > 1 && words[1].split(separator: ".").count == 3
                && words[1].allSatisfy { $0.isNumber || $0 == "." }
            return isEnhanced ? "\(words[0])/\(words[1])" : "\(words[0])"
        }
    }
}

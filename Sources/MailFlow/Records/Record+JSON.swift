internal import MartletCore

extension Record {
    /// The record as it is stored: one JSON object, times in microseconds UTC.
    public func json() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("code", code.description)
            writer.field("kind", kind.rawValue)
            writer.field("at", at.microseconds)
            writer.field("service", service)
            writer.key("peer")
            writer.object { writer in
                writer.field("address", peer.address)
                writer.field("helo", peer.helo)
                writer.field("login", peer.login)
                writer.field("tlsVersion", peer.tls?.version)
                writer.field("tlsCipher", peer.tls?.cipher)
                writer.field("tlsServerName", peer.tls?.serverName)
            }
            writer.field("sender", sender)
            writer.key("recipients")
            writer.array { writer in for recipient in recipients { writer.string(recipient) } }
            writer.field("messageID", messageID)
            writer.field("size", size.map(Int64.init))
            writer.field("reply", reply)
            writer.key("decisions")
            writer.array { writer in for decision in decisions { decision.write(to: &writer) } }
            writer.key("deliveries")
            writer.array { writer in for delivery in deliveries { delivery.write(to: &writer) } }
            // Empty in the store, where attempts stand beside the record.
            guard !attempts.isEmpty else { return }
            writer.key("attempts")
            writer.array { writer in for attempt in attempts { attempt.write(to: &writer) } }
        }
        return writer.bytes
    }

    /// Reads `json()` back; nil when it is not a record. Unknown members are ignored, so that newer records can be read.
    public init?(json: [UInt8]) {
        guard let value = JSONValue(json: json), let code = value["code"]?.text.flatMap({ LookupCode($0) }),
            let kind = value["kind"]?.text.flatMap({ Kind(rawValue: $0) }), let at = value["at"]?.integer,
            let service = value["service"]?.text,
            let peer = value["peer"], let address = peer["address"]?.text
        else { return nil }
        var tls: TLSParameters?
        if let version = peer["tlsVersion"]?.text, let cipher = peer["tlsCipher"]?.text {
            tls = TLSParameters(version: version, cipher: cipher, serverName: peer["tlsServerName"]?.text)
        }
        self.init(
            code: code, kind: kind, at: Instant(microseconds: at), service: service,
            peer: Peer(address: address, helo: peer["helo"]?.text, tls: tls, login: peer["login"]?.text),
            sender: value["sender"]?.text, recipients: value["recipients"]?.elements.compactMap(\.text) ?? [],
            messageID: value["messageID"]?.text, size: value["size"]?.integer.flatMap { Int(exactly: $0) },
            decisions: value["decisions"]?.elements.compactMap { Decision($0) } ?? [],
            deliveries: value["deliveries"]?.elements.compactMap { Delivery($0) } ?? [], reply: value["reply"]?.text)
        attempts = value["attempts"]?.elements.compactMap { DeliveryAttempt($0) } ?? []
    }
}

extension Decision {
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("check", check)
            writer.field("outcome", outcome.rawValue)
            writer.field("summary", summary)
            writer.field("reference", reference)
            writer.field("remedy", remedy)
            guard !evidence.isEmpty else { return }
            writer.key("evidence")
            writer.array { writer in
                for item in evidence {
                    writer.array { writer in
                        writer.string(item.name)
                        writer.string(item.value)
                    }
                }
            }
        }
    }

    init?(_ value: JSONValue) {
        guard let check = value["check"]?.text, let outcome = value["outcome"]?.text.flatMap({ Outcome(rawValue: $0) }),
            let summary = value["summary"]?.text
        else { return nil }
        let evidence = value["evidence"]?.elements.compactMap { pair -> Evidence? in
            let parts = pair.elements.compactMap(\.text)
            return parts.count == 2 ? Evidence(parts[0], parts[1]) : nil
        }
        self.init(
            check: check, outcome: outcome, summary: summary, evidence: evidence ?? [],
            reference: value["reference"]?.text,
            remedy: value["remedy"]?.text)
    }
}

extension Record.Delivery {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("recipient", recipient)
            writer.field("finalAddress", finalAddress)
            writer.field("mailbox", mailbox)
            writer.field("uid", uid.map(Int64.init))
            writer.field("outcome", outcome.rawValue)
        }
    }

    fileprivate init?(_ value: JSONValue) {
        guard let recipient = value["recipient"]?.text,
            let outcome = value["outcome"]?.text.flatMap({ Decision.Outcome(rawValue: $0) })
        else {
            return nil
        }
        self.init(
            recipient: recipient, finalAddress: value["finalAddress"]?.text, mailbox: value["mailbox"]?.text,
            uid: value["uid"]?.integer.flatMap { UInt32(exactly: $0) }, outcome: outcome)
    }
}

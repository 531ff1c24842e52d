internal import MartletCore

extension DeliveryAttempt {
    /// The attempt as it is stored: one JSON object, times and durations in microseconds.
    public func json() -> [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("at", at.microseconds)
            writer.field("duration", DeliveryAttempt.microseconds(duration))
            writer.field("destination", destination)
            writer.field("host", host)
            writer.field("address", address)
            writer.field("tlsVersion", tls?.version)
            writer.field("tlsCipher", tls?.cipher)
            writer.key("recipients")
            writer.array { writer in
                for recipient in recipients {
                    writer.object { writer in
                        writer.field("address", recipient.address)
                        writer.field("outcome", recipient.outcome.rawValue)
                        writer.field("reply", recipient.reply)
                        writer.field("nextAttempt", recipient.nextAttempt?.microseconds)
                    }
                }
            }
            writer.key("decisions")
            writer.array { writer in for decision in decisions { decision.write(to: &writer) } }
            writer.key("transcript")
            writer.array { writer in for line in transcript { writer.string(line) } }
        }
    }

    /// Reads `json()` back; nil when it is not an attempt. Unknown members are ignored.
    public init?(json: [UInt8]) {
        guard let value = JSONValue(json: json) else { return nil }
        self.init(value)
    }

    init?(_ value: JSONValue) {
        guard let at = value["at"]?.integer, let duration = value["duration"]?.integer,
            let destination = value["destination"]?.text
        else { return nil }
        var tls: TLSParameters?
        if let version = value["tlsVersion"]?.text, let cipher = value["tlsCipher"]?.text {
            tls = TLSParameters(version: version, cipher: cipher)
        }
        self.init(
            at: Instant(microseconds: at), duration: .microseconds(duration), destination: destination,
            host: value["host"]?.text, address: value["address"]?.text, tls: tls,
            decisions: value["decisions"]?.elements.compactMap { Decision($0) } ?? [],
            transcript: value["transcript"]?.elements.compactMap(\.text) ?? [],
            recipients: value["recipients"]?.elements.compactMap { Recipient($0) } ?? [])
    }

    private static func microseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds.multipliedReportingOverflow(by: 1_000_000).partialValue &+ attoseconds / 1_000_000_000_000
    }
}

extension DeliveryAttempt.Recipient {
    fileprivate init?(_ value: JSONValue) {
        guard let address = value["address"]?.text, let reply = value["reply"]?.text,
            let outcome = value["outcome"]?.text.flatMap({ Outcome(rawValue: $0) })
        else { return nil }
        self.init(
            address: address, outcome: outcome, reply: reply,
            nextAttempt: value["nextAttempt"]?.integer.map { Instant(microseconds: $0) })
    }
}

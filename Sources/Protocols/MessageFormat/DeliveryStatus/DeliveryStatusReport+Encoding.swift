internal import MartletBytes
internal import MartletCore

extension DeliveryStatusReport {
    /// Which of the two media types the fields are written for.
    public enum Form: Sendable, Hashable {
        /// message/delivery-status, ASCII (RFC 3464).
        case ascii
        /// message/global-delivery-status, UTF-8 (RFC 6533 §4.1).
        case utf8
    }

    /// Scalars of a diagnostic or an extension field that are written.
    static let maximumTextLength = 2_000

    /// `ascii` unless an address is not.
    public var simplestForm: Form {
        let addresses = recipients.flatMap { [$0.finalRecipient.value, $0.originalRecipient?.value ?? ""] }
        return addresses.allSatisfy { $0.utf8.allSatisfy { $0 < 0x80 } } ? .ascii : .utf8
    }

    /// The fields in the order of RFC 3464 §2.2 and §2.3, lines of at most 998 octets that end in CRLF.
    ///
    /// In the ASCII form addresses beyond ASCII become type `utf-8` with escapes (RFC 6533 §3), other text has `?`
    /// for what is not ASCII. In the UTF-8 form escapes of such addresses are undone.
    public func encode(as form: Form) -> [UInt8] {
        var writer = FieldWriter()
        func text(_ value: String) -> String {
            let line = PeerText.oneLine(value, limit: Self.maximumTextLength)
            return form == .ascii ? PeerText.ascii(line) : line
        }
        func add(_ name: String, typed value: TypedValue?, isFolded: Bool = false) {
            guard let value else { return }
            let type = Self.token(value.type) ?? "unknown"
            if isFolded {
                writer.add(name, "\(type); \(text(value.value))")
            } else {
                writer.addUnfolded(name, "\(type); \(form == .ascii ? PeerText.ascii(value.value) : value.value)")
            }
        }
        func add(_ name: String, date: MailDate?) {
            if let date { writer.addUnfolded(name, date.description) }
        }
        func add(_ fields: [ExtensionField]) {
            for field in fields {
                if let name = Self.token(field.name) { writer.add(name, text(field.value)) }
            }
        }
        if let originalEnvelopeID {
            writer.addUnfolded(
                "Original-Envelope-Id", form == .ascii ? PeerText.ascii(originalEnvelopeID) : originalEnvelopeID)
        }
        add("Reporting-MTA", typed: reportingMTA ?? TypedValue(type: "unknown", value: "unknown"))
        add("DSN-Gateway", typed: dsnGateway)
        add("Received-From-MTA", typed: receivedFromMTA)
        add("Arrival-Date", date: arrivalDate)
        add(extensionFields)
        for recipient in recipients {
            writer.endBlock()
            add("Original-Recipient", typed: recipient.originalRecipient.map { Self.address($0, form) })
            add("Final-Recipient", typed: Self.address(recipient.finalRecipient, form))
            if let action = recipient.action { writer.addUnfolded("Action", action.rawValue) }
            if let status = recipient.status { writer.addUnfolded("Status", status.description) }
            add("Remote-MTA", typed: recipient.remoteMTA)
            add("Diagnostic-Code", typed: recipient.diagnosticCode, isFolded: true)
            add("Last-Attempt-Date", date: recipient.lastAttemptDate)
            if let log = recipient.finalLogID { writer.add("Final-Log-ID", text(log)) }
            // RFC 3464 §2.3.9: in no other report.
            if recipient.action == .delayed { add("Will-Retry-Until", date: recipient.willRetryUntil) }
            add(recipient.extensionFields)
        }
        return writer.bytes
    }

    /// An address as the form wants it.
    static func address(_ address: TypedValue, _ form: Form) -> TypedValue {
        let isASCII = address.value.utf8.allSatisfy { $0 < 0x80 }
        switch form {
        case .ascii:
            return isASCII ? address : TypedValue(type: "utf-8", value: UTF8Address.encode(address.value))
        case .utf8:
            guard isASCII else { return TypedValue(type: "utf-8", value: address.value) }
            guard address.type == "utf-8" else { return address }
            return TypedValue(type: "utf-8", value: UTF8Address.decode(address.value) ?? address.value)
        }
    }

    /// Characters that a type or a field's name may have; nil when there are none, or more than 64.
    private static func token(_ text: String) -> String? {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= 64,
            bytes.allSatisfy({
                ASCII.isLetter($0) || ASCII.isDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            })
        else { return nil }
        return text
    }
}

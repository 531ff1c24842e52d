internal import MartletBytes
public import MartletCore

extension DeliveryStatusReport {
    /// The bounds within which a report is read. What is beyond them is left out; nothing is refused.
    public struct Limits: Sendable, Hashable {
        /// Octets of the machine's part.
        public var maximumBytes = 1 << 20
        /// Parts that are tried, when the first that are labelled so name no recipient.
        public var maximumCandidates = 10
        public var maximumRecipients = 1_000
        /// Of all groups together.
        public var maximumFields = 50_000
        /// Of the report, and of each recipient.
        public var maximumExtensionFields = 32
        /// Octets of a value, after unfolding.
        public var maximumValueBytes = 4_096

        public static let `default` = Limits()
        public init() {}
    }

    /// Reads the machine's part of a message: of a multipart/report, or of any other multipart with such a part.
    ///
    /// Lenient: groups without the empty line between them, with one too many, fields in the part's header, repeated
    /// or missing fields, values without a type, other spellings. O(size of the message).
    /// - Returns: nil when there is no part of type message/delivery-status or message/global-delivery-status that
    ///   names a   recipient.
    public static func parse(
        _ message: UnsafeRawBufferPointer, structure: MessageStructure? = nil, limits: Limits = .default
    ) -> DeliveryStatusReport? {
        let structure = structure ?? MessageStructure.parse(message)
        var candidates: [MessageStructure.Part] = []
        collect(structure.root, into: &candidates, limit: limits.maximumCandidates)
        for part in candidates {
            let isIdentity = ContentTransferEncoding(part.encoding) == .identity
            // A machine's part without an empty line behind its header has its first fields there.
            let isInside = isIdentity && part.headerRange.lowerBound > 0
            let range = isInside ? part.wholeRange : part.bodyRange
            let limited = range.lowerBound..<min(range.upperBound, range.lowerBound + limits.maximumBytes)
            let report: DeliveryStatusReport
            if isIdentity {
                report = parseFields(message, in: limited, limits: limits)
            } else {
                let decoded = ContentTransferEncoding(part.encoding).decode(message.clamped(limited))
                report = decoded.withUnsafeBytes { parseFields($0, in: 0..<$0.count, limits: limits) }
            }
            if !report.recipients.isEmpty { return report }
        }
        return nil
    }

    public static func parse(_ message: [UInt8], limits: Limits = .default) -> DeliveryStatusReport? {
        message.withUnsafeBytes { parse($0, limits: limits) }
    }

    /// Reads the fields alone: what the part holds once its transfer encoding is undone.
    public static func parseFields(_ fields: [UInt8], limits: Limits = .default) -> DeliveryStatusReport {
        fields.withUnsafeBytes { parseFields($0, in: 0..<min($0.count, limits.maximumBytes), limits: limits) }
    }

    /// Parts with the right label, in multiparts only: a report that is returned inside a report is not this one.
    private static func collect(
        _ part: MessageStructure.Part, into candidates: inout [MessageStructure.Part], limit: Int
    ) {
        guard candidates.count < limit else { return }
        if part.contentType.type == "message",
            part.contentType.subtype == "delivery-status" || part.contentType.subtype == "global-delivery-status"
        {
            candidates.append(part)
        } else if part.isMultipart {
            for child in part.children { collect(child, into: &candidates, limit: limit) }
        }
    }

    private static func parseFields(
        _ bytes: UnsafeRawBufferPointer, in range: Range<Int>, limits: Limits
    ) -> DeliveryStatusReport {
        var reader = ReportReader(limits: limits)
        var position = range.lowerBound
        var fieldsLeft = limits.maximumFields
        while position < range.upperBound, fieldsLeft > 0 {
            let lineEnd = HeaderFields.endOfLine(bytes, from: position, limit: range.upperBound)
            if HeaderFields.isEmptyLine(bytes, position, lineEnd) {
                reader.endGroup()
                position = lineEnd
                continue
            }
            var walk = HeaderFields(bytes, in: position..<range.upperBound)
            while fieldsLeft > 0, let field = walk.next() {
                fieldsLeft -= 1
                let value = bytes.clamped(
                    field.value
                        .lowerBound..<min(field.value.upperBound, field.value.lowerBound + limits.maximumValueBytes))
                reader.add(
                    String(decoding: ASCII.lowercased(bytes[field.name]), as: UTF8.self),
                    name: String(decoding: bytes[field.name], as: UTF8.self),
                    value: Charset.decodeUnlabelled(Self.text(HeaderFields.unfold(value, 0..<value.count))))
            }
            // A line at least: the walk stops at an empty line, at the end, or at its own limits.
            guard walk.position > position else { break }
            position = walk.position
        }
        return reader.finish()
    }

    /// Control characters as spaces: no value has meaning in them, and none comes back when it is written.
    private static func text(_ value: [UInt8]) -> [UInt8] {
        value.map { $0 < 0x20 || $0 == 0x7F ? ASCII.space : $0 }
    }
}

/// Gathers fields into groups, and groups into a report.
private struct ReportReader {
    private typealias Report = DeliveryStatusReport

    /// The fields between two empty lines.
    private struct Group {
        var original: Report.TypedValue?
        var final: Report.TypedValue?
        /// All that is not an address.
        var details = Report.Recipient(finalRecipient: .init(type: "", value: ""), action: nil, status: nil)
        /// Of the recipient, or of the report, whatever the group turns out to be about.
        var extensions: [Report.ExtensionField] = []
    }

    private let limits: DeliveryStatusReport.Limits
    private var report = DeliveryStatusReport(reportingMTA: nil, recipients: [])
    private var group = Group()

    init(limits: DeliveryStatusReport.Limits) { self.limits = limits }

    mutating func finish() -> DeliveryStatusReport {
        endGroup()
        return report
    }

    /// The first of several fields with one name counts.
    mutating func add(_ lowercaseName: String, name: String, value: String) {
        switch lowercaseName {
        case "original-envelope-id": if report.originalEnvelopeID == nil { report.originalEnvelopeID = value }
        case "reporting-mta": set(&report.reportingMTA, Self.typed(value))
        case "dsn-gateway": set(&report.dsnGateway, Self.typed(value))
        case "received-from-mta": set(&report.receivedFromMTA, Self.typed(value))
        case "arrival-date": set(&report.arrivalDate, MailDate.parse(Array(value.utf8)))
        case "original-recipient":
            // Twice in a group: the empty line between two recipients is missing.
            if group.original != nil { endGroup() }
            group.original = Self.typed(value)
        case "final-recipient":
            if group.final != nil { endGroup() }
            group.final = Self.typed(value)
        case "action": detail { $0.action = $0.action ?? Self.action(value) }
        case "status": detail { $0.status = $0.status ?? Self.status(value) }
        case "remote-mta": detail { $0.remoteMTA = $0.remoteMTA ?? Self.typed(value) }
        case "diagnostic-code": detail { $0.diagnosticCode = $0.diagnosticCode ?? Self.typed(value) }
        case "last-attempt-date":
            detail { $0.lastAttemptDate = $0.lastAttemptDate ?? MailDate.parse(Array(value.utf8)) }
        case "final-log-id": detail { $0.finalLogID = $0.finalLogID ?? value }
        case "will-retry-until":
            detail { $0.willRetryUntil = $0.willRetryUntil ?? MailDate.parse(Array(value.utf8)) }
        default:
            // Fields of the part's own header.
            guard !lowercaseName.hasPrefix("content-"), lowercaseName != "mime-version" else { return }
            guard group.extensions.count < limits.maximumExtensionFields else { return }
            group.extensions.append(.init(name: name, value: value))
        }
    }

    /// A group with an address is a recipient. Without one it is the report's first group, or goes on with the
    /// recipient before it.
    mutating func endGroup() {
        defer { group = Group() }
        if let recipient = group.final ?? group.original {
            guard report.recipients.count < limits.maximumRecipients else { return }
            group.details.originalRecipient = group.original
            group.details.finalRecipient = recipient
            group.details.extensionFields = group.extensions
            report.recipients.append(group.details)
        } else if var last = report.recipients.popLast() {
            let more = group.details
            last.action = last.action ?? more.action
            last.status = last.status ?? more.status
            last.remoteMTA = last.remoteMTA ?? more.remoteMTA
            last.diagnosticCode = last.diagnosticCode ?? more.diagnosticCode
            last.lastAttemptDate = last.lastAttemptDate ?? more.lastAttemptDate
            last.finalLogID = last.finalLogID ?? more.finalLogID
            last.willRetryUntil = last.willRetryUntil ?? more.willRetryUntil
            append(group.extensions, to: &last.extensionFields)
            report.recipients.append(last)
        } else {
            append(group.extensions, to: &report.extensionFields)
        }
    }

    private func append(_ fields: [Report.ExtensionField], to list: inout [Report.ExtensionField]) {
        list += fields.prefix(max(0, limits.maximumExtensionFields - list.count))
    }

    private func set<Value>(_ place: inout Value?, _ value: Value?) { if place == nil { place = value } }

    private mutating func detail(_ change: (inout Report.Recipient) -> Void) { change(&group.details) }

    /// `type; value`. A semicolon belongs to the value when what stands before it is no type.
    private static func typed(_ text: String) -> Report.TypedValue? {
        let bytes = Array(text.utf8)
        if let semicolon = bytes.firstIndex(of: UInt8(ascii: ";")) {
            let type = trimmed(bytes[..<semicolon])
            if type.isEmpty
                || type.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "@") && $0 != UInt8(ascii: ".") })
            {
                let name = type.isEmpty ? "unknown" : String(decoding: ASCII.lowercased(type), as: UTF8.self)
                let value = String(decoding: trimmed(bytes[(semicolon + 1)...]), as: UTF8.self)
                return value.isEmpty ? nil : Report.TypedValue(type: name, value: value)
            }
        }
        let value = String(decoding: trimmed(bytes[...]), as: UTF8.self)
        return value.isEmpty ? nil : Report.TypedValue(type: "unknown", value: value)
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let first = bytes.first, ASCII.isSpaceOrTab(first) { bytes = bytes.dropFirst() }
        while let last = bytes.last, ASCII.isSpaceOrTab(last) { bytes = bytes.dropLast() }
        return bytes
    }

    /// The first word, in any case; `failure` is common too.
    private static func action(_ value: String) -> Report.Action? {
        let word = ASCII.lowercased(value.utf8.drop { ASCII.isSpaceOrTab($0) }.prefix { ASCII.isLetter($0) })
        let name = String(decoding: word, as: UTF8.self)
        return name == "failure" ? .failed : Report.Action(rawValue: name)
    }

    /// `5.1.1`, whatever stands behind it.
    private static func status(_ value: String) -> EnhancedStatus? { ReplyCode.enhanced(in: Array(value.utf8)[...]) }
}

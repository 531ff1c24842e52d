internal import MartletBytes

/// What the SMTP door asks of a header, in one walk.
public struct HeaderScan: Sendable, Hashable {
    public var hasDate = false
    public var hasMessageID = false
    public var hasFrom = false
    /// Received fields: hops so far (RFC 5321 §6.3).
    public var receivedCount = 0
    /// Values of Delivered-To, unfolded.
    public var deliveredTo: [String] = []
    /// Message-ID with angle brackets.
    public var messageID: String?
    /// Octets of the header with its empty line.
    public var headerLength = 0

    public init() {}

    /// Delivered-To fields that are read.
    static let maximumDeliveredTo = 200

    public static func scan(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits = .default) -> HeaderScan {
        var scan = HeaderScan()
        var walk = HeaderFields(bytes, in: 0..<bytes.count, limits: limits)
        while let field = walk.next() {
            switch ASCII.lowercased(bytes[field.name.lowerBound]) {
            case UInt8(ascii: "d"):
                if walk.isNamed(field, "date") {
                    scan.hasDate = true
                } else if walk.isNamed(field, "delivered-to"), scan.deliveredTo.count < maximumDeliveredTo {
                    scan.deliveredTo.append(Charset.decodeUnlabelled(walk.unfolded(field)))
                }
            case UInt8(ascii: "f"):
                if walk.isNamed(field, "from") { scan.hasFrom = true }
            case UInt8(ascii: "m"):
                if walk.isNamed(field, "message-id"), !scan.hasMessageID {
                    scan.hasMessageID = true
                    scan.messageID = MessageSummary.identifiers(walk.unfolded(field)).first
                }
            case UInt8(ascii: "r"):
                if walk.isNamed(field, "received") { scan.receivedCount += 1 }
            default: break
            }
        }
        // Lines without a colon and fields beyond a limit are header too: as in `MessageStructure`.
        scan.headerLength = HeaderFields.endOfHeader(bytes, from: walk.position)
        return scan
    }

    public static func scan(_ bytes: [UInt8], limits: MessageLimits = .default) -> HeaderScan {
        bytes.withUnsafeBytes { scan($0, limits: limits) }
    }
}

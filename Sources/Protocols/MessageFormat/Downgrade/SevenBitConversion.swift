internal import MartletBytes
public import MartletCore

/// Makes a 7-bit message of an 8-bit or binary one, for a server that does not announce 8BITMIME (RFC 6152 §3) or
/// BINARYMIME (RFC 3030 §3): bodies that need it become quoted-printable or base 64, and say so.
///
/// What every body means stays the same octet by octet; signatures over the body (DKIM) do not survive. What is
/// signed by multipart/signed is not touched (RFC 1847 §2.1), and header fields beyond ASCII cannot be converted at
/// all.
public enum SevenBitConversion {
    /// What makes a conversion impossible.
    public enum Obstacle: Error, Sendable, Hashable {
        /// A header field is not ASCII: SMTPUTF8 would be needed (RFC 6531 §3.2).
        case eightBitHeader
        /// What would have to change is covered by a signature.
        case signed
        /// A body has a Content-Transfer-Encoding that nobody knows.
        case unknownEncoding(String)
        /// A type that no encoding is allowed for, such as message/partial or a multipart without its boundary.
        case unencodableType(String)
        /// More parts, levels or fields than `MessageLimits` lets be looked at.
        case tooComplex
    }

    public enum Outcome: Sendable, Hashable {
        /// It is a 7-bit message as it stands.
        case unchanged
        case converted([UInt8])
        case impossible(Obstacle)
    }

    /// Converts a whole message. O(n); the result is at most 3.2 times as long, and 200 octets for each part.
    public static func convert(_ message: UnsafeRawBufferPointer, limits: MessageLimits = .default) -> Outcome {
        let structure = MessageStructure.parse(message, limits: limits)
        let isASCII = BodyShape(message).isASCII
        if isASCII, !hasBinary(structure.root) { return .unchanged }
        // Parts beyond the limit would be taken for text between parts.
        guard structure.partCount < limits.maximumParts else { return .impossible(.tooComplex) }
        var writer = SevenBitWriter(message, limits: limits)
        do {
            try writer.write(structure.root, isMessage: true)
            return .converted(writer.output)
        } catch {
            return .impossible(error)
        }
    }

    public static func convert(_ message: [UInt8], limits: MessageLimits = .default) -> Outcome {
        message.withUnsafeBytes { convert($0, limits: limits) }
    }

    private static func hasBinary(_ part: MessageStructure.Part) -> Bool {
        part.encoding == "binary" || part.children.contains { hasBinary($0) }
    }
}

extension SevenBitConversion.Obstacle: CustomStringConvertible {
    /// One sentence, for the record and the notice.
    public var description: String {
        switch self {
        case .eightBitHeader: "A header field of the message has letters beyond ASCII."
        case .signed: "The message is signed, and a conversion would break the signature."
        case .unknownEncoding(let token):
            "A part of the message has the unknown encoding \(PeerText.oneLine(token, limit: 40))."
        case .unencodableType(let type):
            "A part of the message is of type \(PeerText.oneLine(type, limit: 80)), which has to stay as it is."
        case .tooComplex: "The message has too many parts to be converted."
        }
    }

    /// For the notice: a UTF-8 header cannot be transferred (RFC 6531 §4.3), or a conversion is required and not
    /// possible (RFC 3463 §3.7).
    public var status: EnhancedStatus {
        self == .eightBitHeader ? EnhancedStatus(5, 6, 9) : EnhancedStatus(5, 6, 3)
    }
}

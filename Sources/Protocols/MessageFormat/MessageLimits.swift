/// The bounds within which a message's structure is told. Beyond them a message is still stored and served whole: parts that are
/// too deep or too many become opaque leaves, fields that are too many are not looked at. Nothing is refused here.
public struct MessageLimits: Sendable, Hashable {
    /// Levels of multipart and message/rfc822 inside each other. A level costs stack; mail in use has fewer than ten.
    public var maximumDepth = 32
    /// Parts of all levels together. Bounds BODYSTRUCTURE's size.
    public var maximumParts = 1_000
    /// Octets of one header block that are looked at.
    public var maximumHeaderBytes = 1 << 20
    /// Fields of one header block that are looked at.
    public var maximumFields = 5_000
    /// Parameters of one Content-Type or Content-Disposition.
    public var maximumParameters = 64
    /// Octets of a boundary. RFC 2046 §5.1.1 allows 70; longer ones are in use.
    public var maximumBoundaryLength = 250
    /// Octets of a parameter's value, joined from RFC 2231 pieces.
    public var maximumParameterBytes = 8_192
    /// Comments inside each other that are followed (RFC 5322 §3.2.2); what is deeper is read as text.
    public var maximumCommentDepth = 16
    /// Addresses of one field that an ENVELOPE tells.
    public var maximumAddresses = 2_000
    /// Octets of decoded text of one field that a summary keeps for SEARCH.
    public var maximumSummaryText = 16_384

    public static let `default` = MessageLimits()

    public init() {}
}

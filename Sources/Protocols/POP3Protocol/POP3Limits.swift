/// Bounds of what a client may send, each with the error that it gives.
public enum POP3Limits {
    /// Octets of a command line without its line end. RFC 2449 §4 allows 255; passwords and UTF-8 names may be longer.
    /// A longer one gets -ERR.
    public static let commandLine = 2_300
    /// Octets of an AUTH line and of a SASL answer (RFC 5034 §4, RFC 4954 §4). A longer line is thrown away and gets -ERR.
    public static let line = 12_288
    /// Octets of a user name.
    public static let userName = 1_024
    /// Unknown, misplaced or malformed commands of one connection; then it ends.
    public static let errors = 20
    /// Failed logins of one connection; then it ends.
    public static let loginFailures = 5
    /// Octets of a piece of a LIST or UIDL answer.
    public static let listingPiece = 32_768
}

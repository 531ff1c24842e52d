/// Text that somebody else wrote, made fit to be quoted: one line, bounded, nothing in it that steers a terminal or
/// turns the direction of what stands around it.
enum PeerText {
    /// Unicode scalars that are kept of a text; a reply of SMTP has 512 octets a line (RFC 5321 §4.5.3.1.5).
    static let maximumLength = 2_000
    /// What shows that something was cut off.
    private static let cut = " [...]"

    /// Controls, line ends and runs of spaces become one space; what has no shape of its own is left out.
    static func oneLine(_ text: String, limit: Int = maximumLength) -> String {
        var output = String.UnicodeScalarView()
        var count = 0
        var isSpaceDue = false
        // Four are looked at for one that is kept: what is left out must not cost without end.
        for scalar in text.unicodeScalars.prefix(4 * limit + 4) {
            if isHidden(scalar) { continue }
            if scalar.value <= 0x20 || scalar.properties.isWhitespace || (0x7F...0x9F).contains(scalar.value) {
                isSpaceDue = count > 0
                continue
            }
            guard count < limit else { return String(output) + cut }
            if isSpaceDue {
                output.append(" ")
                isSpaceDue = false
                count += 1
            }
            output.append(scalar)
            count += 1
        }
        return String(output)
    }

    /// The text with `?` for what is not printable ASCII: for fields that have to be ASCII.
    static func ascii(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { output.append((0x20...0x7E).contains(scalar.value) ? scalar : "?") }
        return String(output)
    }

    /// Direction marks, joiners, tags, private and unassigned characters (UAX #9, UTS #39).
    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x80 else { return false }
        switch scalar.properties.generalCategory {
        case .format, .surrogate, .privateUse, .unassigned: return true
        default: return false
        }
    }
}

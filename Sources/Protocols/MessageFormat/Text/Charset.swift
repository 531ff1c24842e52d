internal import CIconv
internal import MartletBytes

/// Charset conversion to and from UTF-8 by iconv, with the names that mail uses and iconv does not know.
///
/// The first use of a charset has libc load a table from its own directory: the one thing here that is not computed.
public enum Charset {
    /// Octets of a charset's name that are looked at.
    static let maximumNameLength = 64

    /// The text of `bytes`, with U+FFFD for what the charset does not have; nil when the charset is not known.
    ///
    /// US-ASCII and UTF-8 are decoded here. 8-bit text that claims to be ASCII is taken as UTF-8 when it is, else as windows-1252,
    /// as readers of mail expect.
    public static func decode(_ bytes: UnsafeRawBufferPointer, charset: String) -> String? {
        let name = canonical(charset)
        if name == "UTF-8" { return String(decoding: bytes, as: UTF8.self) }
        if name == "US-ASCII" { return decodeUnlabelled(bytes) }
        if name == hz {
            return hzAsEUC(bytes).withUnsafeBytes { convert($0, from: "GB18030") }.map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        // RFC 2781 §4.3: without a mark, UTF-16 is big-endian; iconv takes the machine's order.
        if name == "UTF-16", !(bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE])) {
            return convert(bytes, from: "UTF-16BE").map { String(decoding: $0, as: UTF8.self) }
        }
        return convert(bytes, from: name).map { String(decoding: $0, as: UTF8.self) }
    }

    public static func decode(_ bytes: [UInt8], charset: String) -> String? {
        bytes.withUnsafeBytes { decode($0, charset: charset) }
    }

    /// Whether `decode` knows the charset.
    public static func isKnown(_ charset: String) -> Bool {
        let name = canonical(charset)
        if name == "UTF-8" || name == "US-ASCII" || name == hz { return true }
        guard let descriptor = open(name) else { return false }
        martlet_iconv_close(descriptor)
        return true
    }

    /// Text without a charset: UTF-8 when it is valid, else windows-1252, in which every byte means something.
    public static func decodeUnlabelled(_ bytes: UnsafeRawBufferPointer) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return convert(bytes, from: "WINDOWS-1252").map { String(decoding: $0, as: UTF8.self) }
            ?? String(decoding: bytes, as: UTF8.self)
    }

    public static func decodeUnlabelled(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { decodeUnlabelled($0) } }

    /// The name as iconv knows it, upper case.
    static func canonical(_ charset: String) -> String {
        let name = String(decoding: charset.utf8.prefix(maximumNameLength).map { ASCII.uppercased($0) }, as: UTF8.self)
        return aliases[name] ?? name
    }

    private static let aliases: [String: String] = [
        "UTF8": "UTF-8", "ASCII": "US-ASCII", "ANSI_X3.4-1968": "US-ASCII", "": "US-ASCII", "KS_C_5601-1987": "CP949",
        "KS_C_5601": "CP949",
        "KSC5601": "CP949", "EUC-KR": "CP949", "HZ": hz, "GB2312": "GB18030", "GBK": "GB18030",
        "ISO-8859-8-I": "ISO-8859-8",
        "ISO-8859-8-E": "ISO-8859-8", "ISO-8859-6-I": "ISO-8859-6", "X-SJIS": "CP932", "SHIFT_JIS": "CP932",
        "SHIFT-JIS": "CP932",
        "X-MAC-CYRILLIC": "MAC-CYRILLIC", "UNICODE-1-1-UTF-7": "UTF-7", "X-EUC-JP": "EUC-JP", "X-GBK": "GB18030",
        "X-UNKNOWN": "WINDOWS-1252",
        "UNKNOWN-8BIT": "WINDOWS-1252", "ISO-8859-1": "WINDOWS-1252", "LATIN1": "WINDOWS-1252", "CP-850": "CP850",
        "X-MAC-ROMAN": "MACINTOSH",
        "MACROMAN": "MACINTOSH", "ISO-8859-9": "WINDOWS-1254", "TIS-620": "CP874", "X-CP1252": "WINDOWS-1252",
        "ISO-2022-JP": "ISO-2022-JP-2",
    ]

    /// nil for names that iconv does not know. A slash would begin its options, an empty name the process's own charset.
    private static func open(_ name: String) -> martlet_iconv_t? {
        guard name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else { return nil }
        return martlet_iconv_open("UTF-8", name)
    }

    /// RFC 1843, which glibc's iconv does not have.
    private static let hz = "HZ-GB-2312"

    /// HZ (RFC 1843) as EUC-CN: between `~{` and `~}` (or the line's end) two 7-bit octets are a character, `~~` is a tilde, and
    /// `~` before a line end joins lines.
    private static func hzAsEUC(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var isChinese = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0
            switch (byte, next) {
            case (UInt8(ascii: "~"), UInt8(ascii: "{")):
                isChinese = true
                index += 2
            case (UInt8(ascii: "~"), UInt8(ascii: "}")):
                isChinese = false
                index += 2
            case (UInt8(ascii: "~"), UInt8(ascii: "~")) where !isChinese:
                output.append(byte)
                index += 2
            case (UInt8(ascii: "~"), ASCII.lineFeed) where !isChinese:
                index += 2
            case (0x21...0x7E, 0x21...0x7E) where isChinese:
                output.append(byte | 0x80)
                output.append(next | 0x80)
                index += 2
            default:
                if byte == ASCII.lineFeed { isChinese = false }
                output.append(byte)
                index += 1
            }
        }
        return output
    }

    /// The bytes in UTF-8; nil when iconv does not know the charset. Output is at most four octets an input octet.
    private static func convert(_ bytes: UnsafeRawBufferPointer, from name: String) -> [UInt8]? {
        guard let descriptor = open(name) else { return nil }
        defer { martlet_iconv_close(descriptor) }
        var output: [UInt8] = []
        guard let base = bytes.baseAddress else { return output }
        output.reserveCapacity(bytes.count + bytes.count / 2)
        var input: UnsafePointer<CChar>? = base.assumingMemoryBound(to: CChar.self)
        var left = bytes.count
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4_096) { buffer in
            while left > 0 {
                var place = buffer.baseAddress
                var room = buffer.count
                let result = martlet_iconv(descriptor, &input, &left, &place, &room)
                output.append(contentsOf: UnsafeRawBufferPointer(buffer)[..<(buffer.count - room)])
                switch result {
                case 0: break
                case 1: continue
                default:
                    // An invalid or cut sequence: one replacement, one octet further.
                    output.append(contentsOf: [0xEF, 0xBF, 0xBD])
                    input = input.map { $0 + 1 }
                    left -= 1
                }
            }
            // Decoders that compose (windows-1258, Big5-HKSCS) hold the last character until they are told that no more comes.
            var place = buffer.baseAddress
            var room = buffer.count
            _ = martlet_iconv(descriptor, nil, nil, &place, &room)
            output.append(contentsOf: UnsafeRawBufferPointer(buffer)[..<(buffer.count - room)])
            return output
        }
    }
}

package import Logging

/// An event as the systemd journal takes it (Journal Native Protocol): MESSAGE and PRIORITY, and each piece of metadata as a field of
/// its own, `code` as MARTLET_CODE.
package struct JournalEntry: Sendable, Hashable {
    /// Octets of one field's value that are kept; so an entry fits into one datagram.
    static let maximumValue = 4_096
    /// Fields of one event that are kept.
    static let maximumFields = 32

    /// The datagram.
    package private(set) var bytes: [UInt8] = []

    package init(level: Logger.Level, label: String, message: String, fields: [(String, String)]) {
        // One who reads along sees the message alone: what belongs to it stands there too.
        add("MESSAGE", LogLine.bare(label: label, message: message, fields: fields))
        add("PRIORITY", "\(JournalEntry.priority(level))")
        add("SYSLOG_IDENTIFIER", "martlet")
        add("MARTLET_LOGGER", label)
        for (name, value) in fields.prefix(JournalEntry.maximumFields) { add(JournalEntry.name(name), value) }
    }

    /// `NAME=value` and LF; a value with LF is told with its length instead.
    private mutating func add(_ name: String, _ value: String) {
        let value = JournalEntry.cut(Array(value.utf8))
        bytes += Array(name.utf8)
        if value.contains(UInt8(ascii: "\n")) {
            bytes.append(UInt8(ascii: "\n"))
            withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes += Array($0) }
        } else {
            bytes.append(UInt8(ascii: "="))
        }
        bytes += value
        bytes.append(UInt8(ascii: "\n"))
    }

    /// At most so many octets, and no part of a character.
    private static func cut(_ value: [UInt8]) -> [UInt8] {
        guard value.count > maximumValue else { return value }
        var end = maximumValue
        while end > 0, value[end] & 0xC0 == 0x80 { end -= 1 }
        return Array(value[..<end])
    }

    /// Letters, digits and underscores; the journal passes over other names, and over those of more than 64 octets.
    static func name(_ key: String) -> String {
        let letters = key.uppercased().utf8.prefix(48).map { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) ? byte : UInt8(ascii: "_")
        }
        return "MARTLET_" + String(decoding: letters, as: UTF8.self)
    }

    /// syslog(3).
    static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}

internal import Foundation
package import Logging
internal import MartletCore
internal import Synchronization

/// One line for each event, as text or JSON. Metadata that came from peers is escaped, so that no line can be forged.
package struct ServerLogHandler: LogHandler {
    package enum Format: Sendable {
        case text
        case json
        /// Text for the file, and an entry for the journal.
        case journal
    }

    /// The level in force for all loggers; changed by SIGHUP.
    package final class Level: Sendable {
        private let state: Mutex<Logger.Level>
        package init(_ level: Logger.Level) { state = Mutex(level) }
        package var current: Logger.Level {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private let label: String
    private let sink: LogSink
    private let format: Format
    private let level: Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    package init(label: String, sink: LogSink, format: Format, level: Level) {
        self.label = label
        self.sink = sink
        self.format = format
        self.level = level
    }

    /// One for the whole server: setting it on one logger sets it for all.
    package var logLevel: Logger.Level {
        get { level.current }
        set { level.current = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let more = event.metadata { all.merge(more) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        let fields = all.map { ($0.key, $0.value.description) }.sorted { $0.0 < $1.0 }
        let time = ServerLogHandler.now()
        switch format {
        case .text, .journal:
            let line = LogLine.text(
                time: time, level: event.level.rawValue, label: label, message: event.message.description,
                fields: fields)
            guard format == .journal else { return sink.write(line) }
            let entry = JournalEntry(
                level: event.level, label: label, message: event.message.description, fields: fields)
            sink.write(line, entry: entry.bytes)
        case .json:
            sink.write(
                LogLine.json(
                    time: time, level: event.level.rawValue, label: label, message: event.message.description,
                    fields: fields))
        }
    }

    /// RFC 3339 in UTC with milliseconds.
    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let instant = Instant(seconds: Int64(time.tv_sec))
        let milliseconds = "\(1_000 + time.tv_nsec / 1_000_000)".dropFirst()
        return instant.description.dropLast() + ".\(milliseconds)Z"
    }
}

/// How a line looks.
package enum LogLine {
    /// `2026-11-24T12:00:00.000Z info smtp: message accepted code=… sender="a b"`
    package static func text(time: String, level: String, label: String, message: String, fields: [(String, String)])
        -> String
    {
        "\(time) \(level) " + bare(label: label, message: message, fields: fields)
    }

    /// Without time and level, which the journal has by itself.
    static func bare(label: String, message: String, fields: [(String, String)]) -> String {
        var line = "\(label): \(escaped(message))"
        for (name, value) in fields { line += " \(name)=\(quoted(value))" }
        return line
    }

    package static func json(time: String, level: String, label: String, message: String, fields: [(String, String)])
        -> String
    {
        var line =
            "{\"time\":\(string(time)),\"level\":\(string(level)),\"logger\":\(string(label)),\"message\":\(string(message))"
        for (name, value) in fields { line += ",\(string(name)):\(string(value))" }
        return line + "}"
    }

    private static func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=")
                    && $0 != UInt8(ascii: "\\")
            }
        guard !isPlain else { return value }
        // The backslash first: what follows writes backslashes of its own.
        let text = escaped(value.replacing("\\", with: "\\\\")).replacing("\"", with: "\\\"")
        return "\"\(text)\""
    }

    private static func escaped(_ text: String) -> String { escapedForTerminal(text, limit: .max) }

    private static func string(_ text: String) -> String { JSONText.string(text) }
}

package import Logging

/// The log of a server: one sink, one level, a logger for each part.
package struct ServerLog: Sendable {
    private let sink: LogSink
    private let format: ServerLogHandler.Format
    private let level: ServerLogHandler.Level

    /// - Parameter directory: where the file `log` is; nil: standard error alone.
    package init(_ configuration: Configuration.Log, directory: DataDirectory?) {
        let journal: JournalSocket? =
            switch configuration.format {
            case .text, .json: nil
            case .journald: JournalSocket()
            case .auto: JournalSocket.takesStandardError() ? JournalSocket() : nil
            }
        sink = LogSink(path: directory?.log, journal: journal)
        format = configuration.format == .json ? .json : journal == nil ? .text : .journal
        level = ServerLogHandler.Level(ServerLog.level(configuration))
        if configuration.format == .journald, journal == nil {
            logger("log").warning("the journal cannot be reached, and the log goes to standard error")
        }
    }

    package func logger(_ label: String) -> Logger {
        Logger(label: label) { ServerLogHandler(label: $0, sink: sink, format: format, level: level) }
    }

    /// Takes a new level and opens the file anew.
    func reload(_ configuration: Configuration.Log?) {
        if let configuration { level.current = ServerLog.level(configuration) }
        sink.reopen()
    }

    /// Writes what waits; nothing is logged afterwards.
    package func finish() { sink.finish() }

    private static func level(_ configuration: Configuration.Log) -> Logger.Level {
        Logger.Level(rawValue: configuration.level) ?? .info
    }
}

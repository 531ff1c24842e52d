import Foundation
import MailTransfer
import MartletServer

/// What import and export say: progress on standard error, the result on standard output.
enum TransferOutput {
    static func progress(isSilent: Bool) -> TransferProgress {
        if isSilent { return .silent() }
        return TransferProgress(isTerminal: isatty(2) == 1) { text in
            // Folder names come from elsewhere; only our own control characters reach the terminal.
            let isOver = text.hasPrefix("\r\u{1B}[K")
            let line = isOver ? String(text.dropFirst(4)) : text
            let end = line.hasSuffix("\n") ? "\n" : ""
            Terminal.write(
                (isOver ? "\r\u{1B}[K" : "") + escapedForTerminal(end.isEmpty ? line : String(line.dropLast())) + end,
                to: 2)
        }
    }

    /// The report with its sums.
    private struct Shown: Encodable {
        let report: TransferReport
        enum Key: CodingKey { case messages, stored, duplicates, failed, octets, messagesPerSecond, complete }

        func encode(to encoder: any Encoder) throws {
            try report.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(report.messages, forKey: .messages)
            try container.encode(report.stored, forKey: .stored)
            try container.encode(report.duplicates, forKey: .duplicates)
            try container.encode(report.failed, forKey: .failed)
            try container.encode(report.octets, forKey: .octets)
            try container.encode(Int(rate(report)), forKey: .messagesPerSecond)
            try container.encode(report.failure == nil, forKey: .complete)
        }
    }

    private static func rate(_ report: TransferReport) -> Double {
        Double(report.messages) / max(0.001, report.seconds)
    }

    /// Prints the report and ends with exit code 1 or 3 when not all is well.
    ///
    /// - Parameter verb: what was done with messages.
    static func show(_ report: TransferReport, verb: String, _ location: StoreLocation) throws(CommandFailure) {
        if location.json {
            Terminal.print(JSONOutput.text(Shown(report: report)))
            for problem in report.problems { Terminal.error(escapedForTerminal(problem)) }
        } else {
            Terminal.print(text(report, verb))
        }
        if let failure = report.failure {
            let again = report.stored > 0 ? "; what is stored stays, the same command goes on from there" : ""
            Terminal.error(escapedForTerminal(failure) + again)
            throw CommandFailure(report.isUnreachable ? .unreachable : .no)
        }
        if report.failed > 0 { throw CommandFailure(.no) }
    }

    private static func text(_ report: TransferReport, _ verb: String) -> String {
        var lines: [String] = []
        if report.isResumed { lines.append("Going on where an earlier run was.") }
        for folder in report.folders {
            let stored = report.isDryRun ? folder.messages : folder.stored
            var line = "\(escapedForTerminal(folder.folder)) → \(escapedForTerminal(folder.target)): \(stored) \(verb)"
            if folder.duplicates > 0 { line += ", \(folder.duplicates) there already" }
            if folder.failed > 0 { line += ", \(folder.failed) could not be taken" }
            lines.append(line)
        }
        lines += report.leftOut.map { "Left out: \(escapedForTerminal($0))" }
        lines += report.problems.map { "Problem: \(escapedForTerminal($0))" }
        if report.problemCount > report.problems.count {
            lines.append("… and \(report.problemCount - report.problems.count) more problems")
        }
        let stored = report.isDryRun ? report.messages : report.stored
        var sum = "\(stored) messages \(verb) (\(Quota.told(report.octets)))"
        if report.duplicates > 0 { sum += ", \(report.duplicates) there already" }
        if report.failed > 0 { sum += ", \(report.failed) could not be taken" }
        sum += " in \(String(format: "%.1f", report.seconds)) s, \(Int(rate(report))) a second."
        return (lines + [sum]).joined(separator: "\n")
    }
}

internal import Foundation

/// Whether mail can be given to the server now, and what is wrong with it.
public struct Readiness: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable {
        case starting
        case running
        case stopping
    }

    public var phase: Phase
    /// In force, also those that stop no mail.
    public var alarms: [Alarm]

    public init(phase: Phase, alarms: [Alarm]) {
        self.phase = phase
        self.alarms = alarms
    }

    /// Why it is not ready, a sentence each; empty when it is.
    public var reasons: [String] {
        let ofPhase: [String] =
            switch phase {
            case .starting: ["The server is starting."]
            case .running: []
            case .stopping: ["The server is shutting down."]
            }
        return ofPhase + alarms.filter(\.stopsMail).map(\.text)
    }

    public var isReady: Bool { reasons.isEmpty }

    private struct Report: Encodable {
        struct Alarm: Encodable {
            let name: String
            let text: String
            let remedy: String
            let stopsMail: Bool
        }
        let ready: Bool
        let phase: String
        let reasons: [String]
        let alarms: [Alarm]
    }

    /// One object of JSON, with LF.
    public var json: String {
        let report = Report(
            ready: isReady, phase: phase.rawValue, reasons: reasons,
            alarms: alarms.map {
                Report.Alarm(name: $0.name.rawValue, text: $0.text, remedy: $0.remedy, stopsMail: $0.stopsMail)
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Plain values cannot fail.
        guard let data = try? encoder.encode(report) else { return "{}\n" }
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}

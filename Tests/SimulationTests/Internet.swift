import MailStore
import MartletCore
import QueueEngine

/// The other servers: what each does with an attempt, by its kind, the time and a generator.
struct Internet {
    enum Kind: CaseIterable {
        case healthy
        /// No answer from DNS.
        case noDNS
        case noSuchDomain
        case refusesConnections
        /// Every connection runs into its time limit.
        case timesOut
        /// Down for hours or days, once or more.
        case hasOutages
        case greetsTemporary
        case greetsPermanent
        /// 421 to more connections than it likes.
        case limitsConnections
        /// At MAIL, RCPT or DATA, for the whole message or for single recipients, now and then or always.
        case temporaryAtEveryStage
        case temporaryAlways
        case permanentAtEveryStage
        case greylists
        case slow
        /// Hangs up after DATA and before its reply, with and without having taken the message.
        case dropsAfterData
        case withoutDSN
    }

    struct Host {
        var name: String
        var kind: Kind
        var outages: [Range<Instant>] = []
        var connections = 0
    }

    struct Verdict {
        var report: AttemptReport
        var lasts: Duration
        /// The other side has the message for these although the report says otherwise.
        var takenUnseen: [Int] = []
    }

    var hosts: [Host]
    private var numbers: [String: Int] = [:]
    /// When a recipient was first seen by a host that greylists.
    private var seen: [Int: Instant] = [:]

    init(hosts count: Int, begin: Instant, end: Instant, using generator: inout SeededGenerator) {
        hosts = []
        let span = Double((end - begin).components.seconds)
        for number in 0..<count {
            let kind: Kind =
                number == 0 || generator.chance(0.5)
                ? .healthy : Kind.allCases[1 + generator.below(Kind.allCases.count - 1)]
            var host = Host(name: "d\(number).test", kind: kind)
            if kind == .hasOutages {
                for _ in 0...generator.below(3) {
                    let from = begin + generator.seconds(0...span)
                    host.outages.append(from..<(from + generator.seconds(1_800...3 * 86_400)))
                }
            }
            numbers[host.name] = number
            hosts.append(host)
        }
    }

    func kind(_ destination: String) -> Kind { hosts[numbers[destination] ?? 0].kind }

    mutating func ended(_ destination: String) { hosts[numbers[destination] ?? 0].connections -= 1 }

    /// - row: the number of a recipient's row in the model.
    mutating func attempt(
        _ delivery: QueuedDelivery, row: (Int) -> Int, now: Instant, using generator: inout SeededGenerator
    ) -> Verdict {
        let index = numbers[delivery.recipients[0].destination] ?? 0
        hosts[index].connections += 1
        let quick = generator.seconds(0.05...2)
        func unreachable(_ text: String, _ lasts: Duration) -> Verdict {
            Verdict(
                report: AttemptReport(connection: .unreachable(reply: text), others: .temporary(reply: text)),
                lasts: lasts)
        }
        func all(_ result: AttemptReport.Result) -> Verdict {
            Verdict(report: AttemptReport(connection: .worked, others: result), lasts: quick)
        }
        let relayed = AttemptReport.Result.relayed(reply: "250 2.0.0 Ok", announcesDSN: true)
        switch hosts[index].kind {
        case .healthy:
            var report = AttemptReport(connection: .worked, others: relayed)
            for recipient in delivery.recipients where generator.chance(0.01) {
                report.results[recipient.number] =
                    generator.chance(0.5) ? .permanent(reply: "550 5.1.1 Who") : .temporary(reply: "450 4.2.1 Busy")
            }
            return Verdict(report: report, lasts: quick)
        case .noDNS: return unreachable("no answer from DNS", generator.seconds(1...20))
        case .noSuchDomain:
            return Verdict(
                report: AttemptReport(connection: .unknown, others: .permanent(reply: "no such domain")), lasts: quick)
        case .refusesConnections: return unreachable("connection refused", quick)
        case .timesOut: return unreachable("timed out", .seconds(30))
        case .hasOutages:
            return hosts[index].outages.contains { $0.contains(now) }
                ? unreachable("timed out", .seconds(30)) : all(relayed)
        case .greetsTemporary, .greetsPermanent:
            let isPermanent = hosts[index].kind == .greetsPermanent
            guard generator.chance(isPermanent ? 0.2 : 0.6) else { return all(relayed) }
            let text = isPermanent ? "554 5.3.2 Not now" : "421 4.3.2 Not now"
            return Verdict(
                report: AttemptReport(connection: .refused(reply: text), others: .temporary(reply: text)), lasts: quick)
        case .limitsConnections:
            guard hosts[index].connections > 3 else { return all(relayed) }
            return Verdict(
                report: AttemptReport(
                    connection: .refused(reply: "421 Too many"), others: .temporary(reply: "421 Too many")),
                lasts: quick)
        case .temporaryAtEveryStage: return staged(delivery, relayed, isPermanent: false, quick, using: &generator)
        case .permanentAtEveryStage: return staged(delivery, relayed, isPermanent: true, quick, using: &generator)
        case .temporaryAlways: return all(.temporary(reply: "451 4.3.0 Never"))
        case .greylists:
            var report = AttemptReport(connection: .worked, others: relayed)
            for recipient in delivery.recipients {
                let row = row(recipient.number)
                let first = seen[row] ?? now
                seen[row] = first
                if now - first < .seconds(300) {
                    report.results[recipient.number] = .temporary(reply: "451 4.7.1 Greylisted")
                }
            }
            return Verdict(report: report, lasts: quick)
        case .slow:
            return Verdict(
                report: AttemptReport(connection: .worked, others: relayed), lasts: generator.seconds(60...1_200))
        case .dropsAfterData:
            guard generator.chance(0.4) else { return all(relayed) }
            var verdict = Verdict(
                report: AttemptReport(
                    connection: .refused(reply: "hung up after DATA"), others: .temporary(reply: "hung up after DATA")),
                lasts: quick)
            if generator.chance(0.3) { verdict.takenUnseen = delivery.recipients.map(\.number) }
            return verdict
        case .withoutDSN: return all(.relayed(reply: "250 Ok", announcesDSN: false))
        }
    }

    private func staged(
        _ delivery: QueuedDelivery, _ relayed: AttemptReport.Result, isPermanent: Bool, _ lasts: Duration,
        using generator: inout SeededGenerator
    ) -> Verdict {
        func no(_ text: String) -> AttemptReport.Result {
            isPermanent ? .permanent(reply: "5\(text)") : .temporary(reply: "4\(text)")
        }
        var report = AttemptReport(connection: .worked, others: relayed)
        switch generator.below(4) {
        case 0: report.others = no("51 at MAIL")
        case 1: report.others = no("52 at DATA")
        case 2:
            for recipient in delivery.recipients where generator.chance(0.5) {
                report.results[recipient.number] = no("50 at RCPT")
            }
        default: break
        }
        return Verdict(report: report, lasts: lasts)
    }
}

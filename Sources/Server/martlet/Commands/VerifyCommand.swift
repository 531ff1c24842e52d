import ArgumentParser
import MartletServer

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Read the whole store and compare: rows, counters, every octet of every message with its checksum, the ledger.",
        discussion: """
            Mail goes on meanwhile. Exit code 0 when all is sound, 1 when there are faults; each is told in a line.

            --repair puts right what can be worked out anew: counters, references, UIDNEXT and HIGHESTMODSEQ, sizes, summaries,
            the queue's lanes. The ledger is never changed. Messages whose octets are lost stay where they are, and are listed
            with account, mailbox, UID, sender and subject: “martlet restore” brings them back from a backup. With
            --remove-damaged they are expunged after that.
            """)

    @Flag(name: .long, help: "Put right what can be worked out anew.") var repair = false
    @Flag(name: .long, help: "With --repair: expunge messages whose octets are lost.") var removeDamaged = false
    @OptionGroup var location: StoreLocation

    func validate() throws {
        if removeDamaged, !repair { throw ValidationError("--remove-damaged goes with --repair.") }
    }

    func run() async throws {
        guard repair else {
            guard case .verification(let report) = try await location.perform(.verify) else { return }
            location.show(report) { VerifyCommand.told(report) }
            if !report.isSound { throw CommandFailure(.no) }
            return
        }
        guard case .repaired(let report) = try await location.perform(.repair(removesDamaged: removeDamaged)) else {
            return
        }
        location.show(report) { told(report) }
        if !report.verification.isSound { throw CommandFailure(.no) }
    }

    private static func told(_ report: VerificationView) -> String {
        let counted =
            "\(report.messages) messages, \(report.blobs) contents of \(Quota.told(report.bytes)), "
            + "\(Quota.told(report.unreferencedBytes)) no longer in use"
        guard !report.isSound else { return "The store is sound: \(counted)." }
        let more =
            report.faultCount > report.faults.count ? ["… and \(report.faultCount - report.faults.count) more"] : []
        return
            (report.faults.map { escapedForTerminal($0) } + more + [
                "", "THE STORE HAS \(report.faultCount) FAULTS: \(counted).",
            ])
            .joined(separator: "\n")
    }

    private func told(_ report: RepairView) -> String {
        var lines = report.repairs.map { "repaired: " + escapedForTerminal($0) }
        if report.repairCount > report.repairs.count {
            lines.append("… and \(report.repairCount - report.repairs.count) more repairs")
        }
        let verb = report.isDamagedRemoved ? "removed" : "damaged"
        lines += report.damagedMessages.map { "\(verb): " + escapedForTerminal($0) }
        if report.damagedCount > report.damagedMessages.count {
            lines.append("… and \(report.damagedCount - report.damagedMessages.count) more messages")
        }
        return (lines + [VerifyCommand.told(report.verification)]).joined(separator: "\n")
    }
}

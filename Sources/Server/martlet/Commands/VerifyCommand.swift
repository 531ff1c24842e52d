import ArgumentParser
import MartletServer

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Read the whole store and compare: rows, counters, every octet of every message with its checksum, the ledger.",
        discussion:
            "Mail goes on meanwhile. Exit code 0 when all is sound, 1 when there are faults; each is told in a line.")

    @OptionGroup var location: StoreLocation

    func run() async throws {
        guard case .verification(let report) = try await location.perform(.verify) else { return }
        location.show(report) {
            let counted =
                "\(report.messages) messages, \(report.blobs) contents of \(Quota.told(report.bytes)), "
                + "\(Quota.told(report.unreferencedBytes)) no longer in use"
            guard !report.isSound else { return "The store is sound: \(counted)." }
            let more =
                report.faultCount > report.faults.count ? ["… and \(report.faultCount - report.faults.count) more"] : []
            return
                (report.faults.map(escapedForTerminal) + more + [
                    "", "THE STORE HAS \(report.faultCount) FAULTS: \(counted).",
                ])
                .joined(separator: "\n")
        }
        if !report.isSound { throw CommandFailure(.no) }
    }
}

import ArgumentParser
import MartletServer

struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Print the balance of all mail: what was accepted, and what became of it.",
        discussion: """
            accepted = delivered + relayed + bounced + queued + discarded, counted in recipients. The balance is kept with every
            change, and counted again here from the records. Exit code 1 when the two differ or do not add up.
            """)

    @OptionGroup var location: StoreLocation

    func run() async throws {
        guard case .ledger(let ledger) = try await location.perform(.ledger) else { return }
        location.show(ledger) {
            let names = ["accepted", "delivered", "relayed", "bounced", "queued", "discarded"]
            let rows = names.map { [$0, "\(ledger.counted[$0] ?? 0)", "\(ledger.recounted[$0] ?? 0)"] }
            return Terminal.table([["ENTRY", "KEPT", "COUNTED AGAIN"]] + rows)
                + (ledger.holds
                    ? "\n\nThe ledger holds."
                    : "\n\nTHE LEDGER DOES NOT HOLD: \(ledger.drift) recipients are not accounted for, or the two columns differ.")
        }
        if !ledger.holds { throw CommandFailure(.no) }
    }
}

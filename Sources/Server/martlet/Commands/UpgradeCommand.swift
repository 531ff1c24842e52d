import ArgumentParser
import Foundation
import MartletServer

struct UpgradeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Rehearse on a copy what this program's first start would do to the store of an older one.",
        discussion: """
              martlet upgrade --rehearse --config /etc/martlet.yaml

            The store is brought up to date when “martlet serve” starts; before that its rows are copied to
            store/before-migration-N.db. A rehearsal copies the rows, does the same to the copy, verifies it and removes it. The
            store is not changed, and the older server may run meanwhile.
            """)

    @Flag(name: .long, help: "Do it on a copy, and tell what would change.") var rehearse = false
    @Flag(name: .long, help: "Compare every octet of every message with its checksum too.") var messages = false
    @Option(name: .long, help: ArgumentHelp("Where the copy goes (default: beside the store).", valueName: "directory"))
    var scratch: String?
    @OptionGroup var location: StoreLocation

    func validate() throws {
        if !rehearse {
            throw ValidationError("Give --rehearse: the upgrade itself is done by the start of the server.")
        }
    }

    func run() async throws {
        let directory = try location.directory()
        let view: RehearsalView
        do throws(MaintenanceFailure) {
            view = try UpgradeRun.rehearse(directory, scratch: scratch, readsMessages: messages)
        } catch {
            throw CommandFailure(error)
        }
        location.show(view) { told(view) }
        if !view.verification.isSound { throw CommandFailure(.no) }
    }

    private func told(_ view: RehearsalView) -> String {
        func seconds(_ value: Double) -> String { String(format: "%.2f s", value) }
        var lines = [
            "The store has version \(view.found); martlet \(view.program) writes version \(view.known)."
        ]
        if view.steps.isEmpty {
            lines.append("There is nothing to do.")
        } else {
            lines.append("Copy of the rows: \(Quota.told(view.sizeBefore)) in \(seconds(view.copySeconds)).")
            for step in view.steps { lines.append("Step to version \(step.version): \(seconds(step.seconds)).") }
            lines.append("Rows afterwards: \(Quota.told(view.sizeAfter)).")
            lines += view.changes.map { "  " + $0 }
        }
        let counted = "\(view.verification.messages) messages, \(view.verification.blobs) contents"
        if view.verification.isSound {
            lines.append("The copy is sound: \(counted).")
        } else {
            lines += view.verification.faults.map { escapedForTerminal($0) }
            lines.append("THE COPY HAS \(view.verification.faultCount) FAULTS: \(counted).")
        }
        return lines.joined(separator: "\n")
    }
}

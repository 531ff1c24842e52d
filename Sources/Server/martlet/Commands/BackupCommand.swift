import ArgumentParser
import MartletServer

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Make a backup of everything, read it again and compare; mail goes on meanwhile.",
        discussion: """
              martlet backup /backup/mail --config /etc/martlet.yaml
              martlet backup /backup/mail --keep 14 --config /etc/martlet.yaml
              martlet backup /backup/mail --check

            The directory holds many backups, one for each run. Messages are stored once for all of them: a run copies what is new.
            Keys, certificates and the configuration are in it: keep it as safe as the server.
            Exit code 0 when the backup is good, 1 when it is damaged, or when the store itself has faults, which the backup then
            has too; 3 when it could not be made.
            """)

    @Argument(
        help: ArgumentHelp("The directory of backups; it is made when it does not exist.", valueName: "directory"))
    var target: String

    @Option(name: .long, help: ArgumentHelp("Keep so many backups and remove the older ones.", valueName: "n"))
    var keep: Int?

    @Flag(name: .long, help: "Make none: read all that are there and compare every octet with its checksum.")
    var check = false

    @OptionGroup var location: StoreLocation

    func validate() throws {
        if let keep, keep < 1 { throw ValidationError("--keep takes a number from 1 on.") }
        if check, keep != nil { throw ValidationError("Give --check or --keep, not both.") }
    }

    func run() async throws {
        let progress = MaintenanceProgress(isSilent: location.json)
        if check {
            let found: [BackupView]
            do throws(MaintenanceFailure) { found = try BackupRun.check(target, progress) } catch {
                throw CommandFailure(error)
            }
            location.show(found) { found.map(BackupCommand.told).joined(separator: "\n") }
            if found.contains(where: { !$0.damage.isEmpty }) { throw CommandFailure(.no) }
            return
        }
        let (directory, configuration) = try location.resolve()
        let made: BackupView
        do throws(MaintenanceFailure) {
            let run = BackupRun(directory, configuration, configurationFile: location.config)
            made = try run.make(in: target, keeping: keep, clock: SystemClock(), progress)
        } catch {
            throw CommandFailure(error)
        }
        location.show(made) {
            var lines = [
                "\(made.directory)/\(made.name): \(made.messages) messages of \(made.accounts) accounts, "
                    + "\(Quota.told(made.bytes)), \(Quota.told(made.written ?? 0)) of it new; read again and found good."
            ]
            if !made.removed.isEmpty { lines.append("Removed: \(made.removed.joined(separator: ", "))") }
            if let complaint = made.complaint { lines.append(escapedForTerminal(complaint)) }
            return (lines + BackupCommand.faults(made)).joined(separator: "\n")
        }
        if !made.storeFaults.isEmpty || made.complaint != nil { throw CommandFailure(.no) }
    }

    private static func told(_ backup: BackupView) -> String {
        guard backup.damage.isEmpty else {
            return (["\(backup.name): DAMAGED"] + backup.damage.map { "  " + escapedForTerminal($0) }).joined(
                separator: "\n")
        }
        let line = "\(backup.name): good, \(backup.messages) messages, \(Quota.told(backup.bytes))"
        return ([line] + faults(backup)).joined(separator: "\n")
    }

    private static func faults(_ backup: BackupView) -> [String] {
        guard !backup.storeFaults.isEmpty else { return [] }
        return [
            "THE STORE ITSELF HAS FAULTS, and the backup has them too; “martlet verify --repair” puts right what can be:"
        ]
            + backup.storeFaults.map { "  " + escapedForTerminal($0) }
    }
}

extension CommandFailure {
    init(_ failure: MaintenanceFailure) { self.init(failure.isUnreachable ? .unreachable : .no, failure.description) }
}

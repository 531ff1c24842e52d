import ArgumentParser
import MartletServer

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring back a message, a mailbox, an account, or all, from a backup.",
        discussion: """
              martlet restore /backup/mail --account anna@example.org --mailbox INBOX --message 17
              martlet restore /backup/mail --account anna@example.org --message-id '<x@example.net>'
              martlet restore /backup/mail/20261125T030000Z --account anna@example.org --in-place
              martlet restore /backup/mail --all --to /var/lib/martlet

            Messages go into the running server (or its store), below the mailbox Restored unless --as or --in-place says
            otherwise. They get new UIDs; flags and dates stay; what the mailbox has already is left out.
            --all makes a data directory anew. Unless --as-it-was says that nothing has happened since the backup, the queue is
            held (“martlet queue release --all” sends it) and mailboxes get new UIDVALIDITY values, so that clients read them anew.
            """)

    @Argument(
        help: ArgumentHelp(
            "A directory of backups, whose latest is taken, or one of them: DIR/20261125T030000Z.", valueName: "backup")
    )
    var backup: String

    @Flag(name: .long, help: "Everything, into an empty directory.") var all = false
    @Option(name: .long, help: ArgumentHelp("With --all: the data directory to make.", valueName: "directory")) var to:
        String?
    @Flag(name: .long, help: "With --all: nothing has happened since the backup, as when a server moves.") var asItWas =
        false

    @Option(name: .long, help: ArgumentHelp("The account whose messages are wanted.", valueName: "address"))
    var account: String?
    @Option(name: .long, help: ArgumentHelp("Only this mailbox.", valueName: "name")) var mailbox: String?
    @Option(
        name: .customLong("message"),
        help: ArgumentHelp("Only the message that had this UID; with --mailbox. May be repeated.", valueName: "uid"))
    var uids: [UInt32] = []
    @Option(name: .long, help: ArgumentHelp("Only the message with this Message-ID.", valueName: "id")) var messageID:
        String?
    @Option(name: .customLong("as"), help: ArgumentHelp("The mailbox that they go to.", valueName: "name")) var name:
        String?
    @Flag(name: .long, help: "They go to the mailboxes where they were.") var inPlace = false

    @Flag(name: .long, help: "Of a damaged backup, restore what can be read, and list what cannot.") var force = false
    @OptionGroup var location: StoreLocation

    func validate() throws {
        guard all != (account != nil) else { throw ValidationError("Say what: --all, or --account.") }
        guard all == (to != nil) else { throw ValidationError("--all and --to go together.") }
        if all, mailbox != nil || !uids.isEmpty || messageID != nil || name != nil || inPlace {
            throw ValidationError("--all takes everything, as it was: no mailbox, no message, no other name.")
        }
        if asItWas, !all { throw ValidationError("--as-it-was goes with --all.") }
        if !uids.isEmpty, mailbox == nil { throw ValidationError("A UID is one of a mailbox: give --mailbox too.") }
        if inPlace, name != nil { throw ValidationError("Give --as or --in-place, not both.") }
    }

    func run() async throws {
        let progress = MaintenanceProgress(isSilent: location.json)
        let view: RestoreView
        if let to {
            do throws(MaintenanceFailure) {
                view = try RestoreRun(backup, isForced: force).all(
                    to: to, isPresent: asItWas, clock: SystemClock(), progress)
            } catch {
                throw CommandFailure(error)
            }
        } else {
            view = try await restoreMessages(progress)
        }
        location.show(view) { told(view) }
        if !view.losses.isEmpty { throw CommandFailure(.no) }
    }

    private func restoreMessages(_ progress: MaintenanceProgress) async throws(CommandFailure) -> RestoreView {
        let address = account ?? ""
        let choice = RestoreRun.Choice(
            account: address, mailbox: mailbox, uids: uids, messageID: messageID,
            place: inPlace ? .original : name.map { .mailbox($0) })
        let run: RestoreRun
        do throws(MaintenanceFailure) { run = try RestoreRun(backup, isForced: force) } catch {
            throw CommandFailure(error)
        }
        return try await location.session { (session) throws(CommandFailure) in
            // A sentence that says so when there is no such account.
            _ = try await location.ask(session, .accountShow(address: address))
            do throws(MaintenanceFailure) {
                return try await run.messages(choice, into: session, progress)
            } catch {
                throw CommandFailure(error)
            }
        }
    }

    private func told(_ view: RestoreView) -> String {
        var lines: [String] = []
        if let to {
            lines.append("\(to) is made from the backup \(view.backup): \(view.restored) messages, read and compared.")
            if view.held > 0 {
                lines.append(
                    "\(view.held) recipients waited in the queue and may have had their mail since: they are held. "
                        + "“martlet queue list” shows them, “martlet queue release --all” sends to them.")
            }
            for file in view.elsewhere { lines.append("To be put back where it belongs: \(escapedForTerminal(file))") }
        } else {
            let places = view.mailboxes.map { escapedForTerminal($0) }.joined(separator: ", ")
            let there = view.duplicates > 0 ? ", \(view.duplicates) were there already" : ""
            lines.append(
                "\(view.restored) messages restored from \(view.backup)\(there)"
                    + (places.isEmpty ? "." : ", into \(places)."))
        }
        if !view.losses.isEmpty {
            lines.append("NOT RESTORED:")
            lines += view.losses.map { "  " + escapedForTerminal($0) }
        }
        return lines.joined(separator: "\n")
    }
}

import ArgumentParser
import Foundation
import MailTransfer
import MartletServer

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write an account's mail into mbox files or a Maildir.",
        discussion: """
              martlet export mbox ./backup --account anna@example.org
              martlet export maildir ./Maildir --account anna@example.org --mailbox INBOX

            Flags, keywords and dates go along. Files are there when they are whole. An export that was interrupted goes on where it
            was; one into the same Maildir later adds what is new.
            """,
        subcommands: [Mbox.self, Maildir.self])

    struct Options: ParsableArguments {
        @Option(name: .long, help: ArgumentHelp("The account.", valueName: "address")) var account: String
        @Option(
            name: .customLong("mailbox"),
            help: ArgumentHelp("Only this mailbox. May be repeated.", valueName: "name"))
        var mailboxes: [String] = []
        @Flag(name: .long, help: "Say nothing while it goes on.") var quiet = false
        @OptionGroup var location: StoreLocation

        func run(_ sink: () throws(TransferError) -> any ExportSink) async throws(CommandFailure) {
            let progress = TransferOutput.progress(isSilent: quiet)
            let report = try await location.session { (session) throws(CommandFailure) in
                do throws(TransferError) {
                    var run = ExportRun(
                        account: account, source: try session.exportSource(address: account), sink: try sink(),
                        mailboxes: mailboxes, progress: progress)
                    return await run.run()
                } catch {
                    throw CommandFailure(error.kind == .unreachable ? .unreachable : .no, error.description)
                }
            }
            try TransferOutput.show(report, verb: "written", location)
        }
    }

    struct Mbox: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "mbox",
            abstract: "Into mbox files (mboxrd): INBOX.mbox, Sent.mbox, Projects/2026.mbox.",
            discussion: "Flags are in Status, X-Status and X-Keywords, dates in the From_ lines.")
        @Argument(help: ArgumentHelp("The directory for the files.", valueName: "dir")) var directory: String
        @OptionGroup var options: Options

        func run() async throws {
            try await options.run { () throws(TransferError) in
                try MboxSink(directory: directory, account: options.account)
            }
        }
    }

    struct Maildir: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "maildir",
            abstract: "Into a Maildir: the directory is INBOX, .Sent and .Projects.2026 in it the others.",
            discussion: "Keywords are in dovecot-keywords, dates are the files' times.")
        @Argument(help: ArgumentHelp("The Maildir, which is made.", valueName: "dir")) var directory: String
        @OptionGroup var options: Options

        func run() async throws {
            try await options.run { () throws(TransferError) in try MaildirSink(directory: directory) }
        }
    }
}

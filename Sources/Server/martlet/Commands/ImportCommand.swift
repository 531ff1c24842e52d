import ArgumentParser
import Foundation
import MailStore
import MailTransfer
import MartletCore
import MartletServer
import MessageFormat
import NIOPosix

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take mail into an account: from mbox files, a Maildir, or another IMAP server.",
        discussion: """
              martlet import mbox ~/mail/archive.mbox --account anna@example.org --mailbox Archive
              martlet import maildir ~/Maildir --account anna@example.org --dry-run
              martlet import imap imap.old.example anna --account anna@example.org --password-file secret

            Flags, keywords and dates come along. Folders go to the account's own for sent mail, drafts, junk, trash and archive
            where their purpose or name says so; --map and --mailbox say otherwise. What a mailbox has already is skipped by its
            content, so that an import can be repeated; one that was interrupted goes on where it was.
            Exit code 1 when something could not be imported; it is told what.
            """,
        subcommands: [Mbox.self, Maildir.self, IMAP.self])

    /// What all three have.
    struct Options: ParsableArguments {
        @Option(name: .long, help: ArgumentHelp("The account that takes the mail.", valueName: "address"))
        var account: String
        @Option(
            name: .long,
            help: ArgumentHelp(
                "All goes into this mailbox; of several folders, those other than INBOX below it.", valueName: "name"))
        var mailbox: String?
        @Option(
            name: .customLong("map"),
            help: ArgumentHelp(
                "A folder and the mailbox that it goes to. May be repeated.", valueName: "folder=mailbox"))
        var maps: [String] = []
        @Option(
            name: .customLong("folder"), help: ArgumentHelp("Only this folder. May be repeated.", valueName: "name"))
        var folders: [String] = []
        @Flag(name: .long, help: "Read everything, store nothing, and say what would be done.") var dryRun = false
        @Flag(name: .long, help: "Store also what the mailbox has already.") var keepDuplicates = false
        @Option(
            name: .long,
            help: ArgumentHelp(
                "Where it is kept how far the import is (default: beside the source; for IMAP, in the data directory).",
                valueName: "file"))
        var state: String?
        @Flag(name: .long, help: "Say nothing while it goes on.") var quiet = false
        @OptionGroup var location: StoreLocation

        func validate() throws {
            if let wrong = maps.first(where: { !$0.contains("=") || $0.hasPrefix("=") || $0.hasSuffix("=") }) {
                throw ValidationError("“\(wrong)” is no folder=mailbox.")
            }
        }

        var mapping: FolderMapping {
            var mapping = FolderMapping(below: mailbox)
            for map in maps {
                let parts = map.split(separator: "=", maxSplits: 1)
                mapping.renames[String(parts[0])] = String(parts[1])
            }
            return mapping
        }

        /// The state's file: as said, or `place`, if a file can be made there.
        func stateFile(_ place: String) -> String? {
            if let state { return state }
            let directory = (place as NSString).deletingLastPathComponent
            return access(directory.isEmpty ? "." : directory, W_OK) == 0 ? place : nil
        }

        func run(_ source: any ImportSource, mapping: FolderMapping, stateFile: String?) async throws(CommandFailure) {
            let progress = TransferOutput.progress(isSilent: quiet)
            let report = try await location.session { (session) throws(CommandFailure) in
                let target: any ImportTarget
                do throws(TransferError) {
                    target = try session.importTarget(address: account, keepsDuplicates: keepDuplicates)
                } catch {
                    throw CommandFailure(.no, error.description)
                }
                var options = ImportRun.Options(account: account)
                options.mapping = mapping
                options.folders = folders
                options.isDryRun = dryRun
                options.stateFile = stateFile
                var run = ImportRun(source: source, target: target, options: options, progress: progress)
                return await run.run()
            }
            try TransferOutput.show(report, verb: dryRun ? "would be stored" : "stored", location)
        }
    }

    struct Mbox: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "mbox",
            abstract: "From mbox files, or from all in a directory.",
            discussion: """
                A file's mailbox is named like it, without “.mbox”; “inbox” and “mbox” are INBOX. Directories are looked through,
                Thunderbird's “.sbd” too. Status, X-Status, X-Keywords and Mozilla's fields give the flags and are taken out.
                """)
        @Argument(help: ArgumentHelp("Files or directories.", valueName: "path")) var paths: [String]
        @Option(
            name: .long,
            help: ArgumentHelp(
                "auto, mboxo, mboxrd, mboxcl or mboxcl2: what quotes “From ” in a body, and whether Content-Length counts.",
                valueName: "variant"))
        var variant = MboxVariant.automatic
        @OptionGroup var options: Options

        func run() async throws {
            let absolute = paths.map { $0.hasPrefix("/") ? $0 : FileManager.default.currentDirectoryPath + "/" + $0 }
            try await options.run(
                MboxSource(paths: absolute, variant: variant), mapping: options.mapping,
                stateFile: options.stateFile(absolute[0] + ".martlet-import"))
        }
    }

    struct Maildir: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "maildir",
            abstract: "From a Maildir with its folders.",
            discussion: """
                Maildir++ (“.Sent”), folders as directories, and directories with dots (“INBOX.Sent”); Dovecot's keywords; dates from
                the files.
                """)
        @Argument(help: ArgumentHelp("The directory that has “cur” and “new”.", valueName: "path")) var path: String
        @OptionGroup var options: Options

        func run() async throws {
            let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
            let plain = absolute.hasSuffix("/") ? String(absolute.dropLast()) : absolute
            try await options.run(
                MaildirSource(path: plain), mapping: options.mapping,
                stateFile: options.stateFile(plain + ".martlet-import"))
        }
    }

    struct IMAP: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "imap",
            abstract: "From another IMAP server.",
            discussion: """
                The password comes from --password-file, --password-stdin, the variable MARTLET_IMPORT_PASSWORD, or is asked for.
                Nothing is changed there: folders are opened for reading alone, and no message becomes seen.
                """)
        @Argument(help: ArgumentHelp("The other server's name.", valueName: "host")) var host: String
        @Argument(help: ArgumentHelp("The name to log in with.", valueName: "user")) var user: String
        @Option(name: .long, help: ArgumentHelp("Default: 993 with tls, 143 else.", valueName: "number")) var port: Int?
        @Option(
            name: .long, help: ArgumentHelp("tls, starttls or none.", valueName: "how"))
        var tls = IMAPServerAddress.Security.tls
        @Option(
            name: .long,
            help: ArgumentHelp("Trust the certificates in this PEM file, not the system's.", valueName: "file"))
        var ca: String?
        @Flag(name: .long, help: "Trust any certificate. Somebody in between can then read password and mail.")
        var insecure = false
        @Flag(name: .long, help: "Take also folders that only show messages of others, such as Gmail's All Mail.")
        var allMail = false
        @Option(name: .long, help: ArgumentHelp("Read the password from a file: its first line.", valueName: "file"))
        var passwordFile: String?
        @Flag(name: .long, help: "Read the password from standard input: its first line.") var passwordStdin = false
        @OptionGroup var options: Options

        func validate() throws {
            if let port, !(1...65_535).contains(port) { throw ValidationError("\(port) is no port.") }
            if passwordStdin, passwordFile != nil {
                throw ValidationError("Give --password-stdin or --password-file, not both.")
            }
        }

        func run() async throws {
            let secret = try password()
            if insecure { Terminal.error("warning: the other server's certificate is not verified") }
            if tls == .plain { Terminal.error("warning: password and mail go over the network in plain text") }
            let server = IMAPServerAddress(
                host: host, port: port ?? tls.defaultPort, security: tls, trustedCertificates: ca, isInsecure: insecure,
                user: user, password: secret)
            var mapping = options.mapping
            mapping.takesVirtual = allMail
            let source = IMAPSource(server, group: MultiThreadedEventLoopGroup.singleton)
            try await options.run(source, mapping: mapping, stateFile: try stateFile())
        }

        private func stateFile() throws(CommandFailure) -> String? {
            if let state = options.state { return state }
            let directory = try options.location.directory().path + "/imports"
            mkdir(directory, 0o700)
            let name = "\(user) at \(host) \(port ?? tls.defaultPort) to \(options.account)".replacing("/", with: "_")
            return options.stateFile(directory + "/" + name)
        }

        private func password() throws(CommandFailure) -> Secret {
            var line: [UInt8]?
            if let passwordFile {
                guard let bytes = DataDirectory.bytes(of: passwordFile) else {
                    throw CommandFailure(
                        .usage, "\(escapedForTerminal(passwordFile)): cannot be read; is the path right?")
                }
                line = Array(bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
            } else if passwordStdin {
                line = Terminal.readLine()
            } else if let value = ProcessInfo.processInfo.environment["MARTLET_IMPORT_PASSWORD"] {
                line = Array(value.utf8)
            } else if Terminal.isInteractive {
                line = Terminal.ask(
                    secretly: "Password of \(escapedForTerminal(user)) at \(escapedForTerminal(host)): ")
            }
            guard let line, !line.isEmpty else {
                throw CommandFailure(
                    .usage,
                    "there is no password; give --password-file or --password-stdin, or set MARTLET_IMPORT_PASSWORD")
            }
            return Secret(line)
        }
    }
}

extension MboxVariant: ExpressibleByArgument {}
extension IMAPServerAddress.Security: ExpressibleByArgument {}

import ArgumentParser
import Foundation
import MartletServer

struct MessageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "message",
        abstract: "Look at the messages of an account, and bring back expunged ones.",
        discussion: """
              martlet message list anna@example.org
              martlet message show anna@example.org 17 > letter.eml
              martlet message undelete anna@example.org --list
              martlet message undelete anna@example.org --mailbox INBOX --uid 12 --uid 13
            """,
        subcommands: [List.self, Show.self, Undelete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List a mailbox, newest first.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @Option(name: .long, help: ArgumentHelp("The mailbox.", valueName: "name")) var mailbox = "INBOX"
        @Option(name: .long, help: ArgumentHelp("At most so many, up to 1000.", valueName: "n")) var limit = 50
        @Option(name: .long, help: ArgumentHelp("Only messages with a lower UID: the next page.", valueName: "uid"))
        var before: UInt32?
        @OptionGroup var location: StoreLocation

        func validate() throws { try ListLimit.check(limit) }

        func run() async throws {
            let response = try await location.perform(
                .messageList(address: address, mailbox: mailbox, before: before, limit: limit))
            guard case .messages(let messages) = response else { return }
            location.show(messages) {
                let rows = messages.map { message in
                    [
                        "\(message.uid)", message.date, Quota.told(Int64(message.size)),
                        message.flags.map { escapedForTerminal($0) }.joined(separator: " "),
                        MessageCommand.clipped(message.from, 40), MessageCommand.clipped(message.subject, 60),
                    ]
                }
                return Terminal.table([["UID", "DATE", "SIZE", "FLAGS", "FROM", "SUBJECT"]] + rows)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print a message as it is stored, octet by octet.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @Argument(help: ArgumentHelp("The message's UID, from the list.", valueName: "uid")) var uid: UInt32
        @Option(name: .long, help: ArgumentHelp("The mailbox.", valueName: "name")) var mailbox = "INBOX"
        @OptionGroup var location: StoreLocation

        private struct Shown: Encodable {
            let size: Int
            let base64: String
        }

        func run() async throws {
            var all = Data()
            try await location.session { (session) throws(CommandFailure) in
                var offset = 0
                var size = 1
                while offset < size {
                    let request = AdministrationRequest.messageRead(
                        address: address, mailbox: mailbox, uid: uid, offset: offset)
                    guard case .piece(let base64, let total) = try await location.ask(session, request),
                        let piece = Data(base64Encoded: base64),
                        !piece.isEmpty || total == 0
                    else { throw CommandFailure(.unreachable, "the message ends early") }
                    size = total
                    offset += piece.count
                    if location.json { all.append(piece) } else { Terminal.write(Array(piece), to: 1) }
                }
            }
            if location.json {
                Terminal.print(JSONOutput.text(Shown(size: all.count, base64: all.base64EncodedString())))
            }
        }
    }

    struct Undelete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Bring back expunged messages, with new UIDs, into the mailbox where they were (INBOX when it is gone)."
        )
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @Option(name: .long, help: ArgumentHelp("Only from this mailbox.", valueName: "name")) var mailbox: String?
        @Option(
            name: .customLong("uid"),
            help: ArgumentHelp("Only the message that had this UID. May be repeated.", valueName: "uid")) var uids:
            [UInt32] = []
        @Flag(name: .long, help: "Only list what can be brought back.") var list = false
        @Flag(name: .long, help: "Bring back all that can be.") var all = false
        @OptionGroup var location: StoreLocation

        func validate() throws {
            if !list, !all, mailbox == nil, uids.isEmpty {
                throw ValidationError("Say which: --list, --uid, --mailbox or --all.")
            }
        }

        func run() async throws {
            if list {
                let response = try await location.perform(
                    .expungedList(address: address, limit: AdministrationRequest.maximumList))
                guard case .expunged(let messages) = response else { return }
                location.show(messages) {
                    let rows = messages.map {
                        [
                            escapedForTerminal($0.mailbox), "\($0.uid)", $0.expungedAt, Quota.told(Int64($0.size)),
                            MessageCommand.clipped($0.from, 40),
                            MessageCommand.clipped($0.subject, 60),
                        ]
                    }
                    return Terminal.table([["MAILBOX", "UID", "EXPUNGED", "SIZE", "FROM", "SUBJECT"]] + rows)
                }
                return
            }
            let request = AdministrationRequest.messageUndelete(
                address: address, mailbox: mailbox, uids: uids.isEmpty ? nil : uids)
            guard case .undeleted(let count) = try await location.perform(request) else { return }
            location.show(["undeleted": count]) { count == 1 ? "1 message is back" : "\(count) messages are back" }
        }
    }

    /// A text from a message in one cell: escaped, so that it cannot drive the terminal, and cut.
    static func clipped(_ text: String, _ width: Int) -> String {
        let escaped = escapedForTerminal(text)
        return escaped.count <= width ? escaped : escaped.prefix(width - 1) + "…"
    }
}

import MailStore
import MailTransfer
import Testing

@Suite struct FolderMappingTests {
    static let standard = standardMailboxes.map { TransferMailbox(name: $0.name, use: $0.use) }

    private func map(
        _ folders: [SourceFolder], _ mapping: FolderMapping = FolderMapping(),
        to mailboxes: [TransferMailbox] = standard
    ) -> [String] {
        mapping.map(folders, to: mailboxes).map {
            switch $0 {
            case .mailbox(let mailbox): mailbox.name
            case .leftOut: "-"
            }
        }
    }

    private func folders(_ names: [String]) -> [SourceFolder] { names.map { SourceFolder(name: $0, place: []) } }

    @Test(arguments: [
        ("INBOX", "INBOX"), ("Sent Items", "Sent"), ("Gesendet", "Sent"), ("[Gmail]/Sent Mail", "Sent"),
        ("[Google Mail]/Papierkorb", "Trash"),
        ("Deleted Messages", "Trash"), ("Spam", "Junk"), ("Entwürfe", "Drafts"), ("ENTWURFE", "ENTWURFE"),
        ("Envoyés", "Sent"), ("Envoye\u{301}s", "Sent"),
        ("Archives", "Archive"), ("Отправленные", "Sent"), ("送信済み", "Sent"), ("Projects", "Projects"),
        ("Projects/Sent", "Projects/Sent"),
        ("Sent", "Sent"),
    ]) func `a folder's name tells its purpose`(_ folder: String, _ mailbox: String) {
        #expect(map(folders([folder])) == [mailbox])
    }

    @Test func `what the source says of a folder's purpose counts over its name`() {
        let odd = [
            SourceFolder(name: "Ausgang", use: .sent, place: []), SourceFolder(name: "Alle", use: .all, place: []),
            SourceFolder(name: "Markiert", use: .flagged, place: []),
        ]
        #expect(map(odd) == ["Sent", "-", "-"])
        #expect(map(odd, FolderMapping(takesVirtual: true)) == ["Sent", "Alle", "Markiert"])
    }

    @Test func `folders below one that goes elsewhere go along`() {
        #expect(
            map(folders(["Sent Items", "Sent Items/2024", "Sent Items/2024/May"])) == [
                "Sent", "Sent/2024", "Sent/2024/May",
            ])
    }

    @Test func `INBOX is no level where all folders are below it`() {
        #expect(map(folders(["INBOX", "INBOX/Sent", "INBOX/Work/A"])) == ["INBOX", "Sent", "Work/A"])
        #expect(map(folders(["INBOX", "INBOX/Old", "Sent"])) == ["INBOX", "INBOX/Old", "Sent"])
    }

    @Test func `what is said counts first`() {
        let mapping = FolderMapping(renames: ["Spam": "Rubbish"], below: "Old")
        #expect(map(folders(["INBOX", "Spam", "Sent"]), mapping) == ["Old", "Rubbish", "Old/Sent"])
    }

    @Test func `a mailbox that is missing is made with its purpose`() {
        let outcome = FolderMapping().map(folders(["Gesendet"]), to: [TransferMailbox(name: "INBOX")])
        #expect(outcome == [.mailbox(TransferMailbox(name: "Gesendet", use: .sent))])
        let other = FolderMapping().map(folders(["Gesendet"]), to: [TransferMailbox(name: "Post", use: .sent)])
        #expect(other == [.mailbox(TransferMailbox(name: "Post", use: .sent))])
    }
}

import Foundation
import MartletServer
import Testing

@Suite("The control protocol")
struct AdministrationRequestTests {
    static let requests: [AdministrationRequest] = [
        .status,
        .accountAdd(
            address: "a@b.test", displayName: "Ä \"x\"", quota: 5, usesDefaultQuota: false, isAdministrator: true,
            password: PasswordText(.init("pässword"))),
        .accountList, .accountShow(address: "a@b.test"), .accountRemove(address: "a@b.test"),
        .accountSet(address: "a@b.test", displayName: nil, quota: -1, isAdministrator: nil, isSuspended: true),
        .accountPassword(address: "a@b.test", password: PasswordText(.init("x"))),
        .appPasswordAdd(address: "a@b.test", label: "phone"),
        .appPasswordList(address: "a@b.test"), .appPasswordRevoke(address: "a@b.test", number: 3),
        .domainAdd(domain: "b.test", catchAll: nil, separator: .keep), .domainList, .domainRemove(domain: "b.test"),
        .domainSet(domain: "b.test", catchAll: .address("a@b.test"), separator: .character("-")),
        .domainSet(domain: "b.test", catchAll: .none, separator: .none),
        .aliasAdd(address: "i@b.test", targets: ["a@b.test", "c@b.test"]),
        .aliasList(domain: nil), .aliasRemove(address: "i@b.test"), .mailboxList(address: "a@b.test"),
        .messageList(address: "a@b.test", mailbox: "INBOX", before: 7, limit: 50),
        .messageRead(address: "a@b.test", mailbox: "INBOX", uid: 7, offset: 0),
        .expungedList(address: "a@b.test", limit: 1_000),
        .messageUndelete(address: "a@b.test", mailbox: nil, uids: [1, 2]), .explain(subject: "<x@y>", limit: 20),
        .ledger, .verify,
    ]

    @Test("Every request is one line that reads back as itself", arguments: requests)
    func roundTrip(_ request: AdministrationRequest) throws {
        let line = try JSONEncoder().encode(request)
        #expect(!line.contains(UInt8(ascii: "\n")))
        #expect(line.count < AdministrationRequest.maximumLine)
        #expect(try JSONDecoder().decode(AdministrationRequest.self, from: line) == request)
    }

    @Test("A password does not show itself when a request is printed")
    func secrecy() {
        for request in Self.requests { #expect(!"\(request)".contains("pässword")) }
        #expect(!String(reflecting: Self.requests[1]).contains("pässword"))
    }
}

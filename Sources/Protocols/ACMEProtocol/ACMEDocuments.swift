internal import Foundation

/// What an authority sends, read from JSON (RFC 8555 §7.1). Members that nobody needs are passed over.
enum ACMEDocuments {
    struct Directory: Decodable {
        struct Meta: Decodable {
            var termsOfService: String?
            var externalAccountRequired: Bool?
        }
        var newNonce: String
        var newAccount: String
        var newOrder: String
        var meta: Meta?
    }

    struct Identifier: Decodable {
        var type: String
        var value: String
    }

    struct Order: Decodable {
        var status: String
        var authorizations: [String]
        var finalize: String
        var certificate: String?
        var error: Problem?
    }

    struct Authorization: Decodable {
        var identifier: Identifier
        var status: String
        var challenges: [Challenge]
    }

    struct Challenge: Decodable {
        var type: String
        var url: String
        var status: String
        var token: String?
        var error: Problem?
    }

    /// RFC 7807 §3.1, RFC 8555 §6.7.
    struct Problem: Decodable {
        var type: String?
        var detail: String?
        var subproblems: [Problem]?
    }

    /// nil when it is not such a document.
    static func read<Document: Decodable>(_ type: Document.Type, _ body: [UInt8]) -> Document? {
        try? JSONDecoder().decode(type, from: Data(body))
    }
}

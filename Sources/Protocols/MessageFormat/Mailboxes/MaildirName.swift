internal import MartletBytes

/// The name of a message's file in a Maildir: `UNIQUE:2,FLAGS`.
///
/// Letters: P passed, R replied, S seen, T trashed, D draft, F flagged, and a to z for keywords whose names stand in the folder's
/// `dovecot-keywords`. `;` and `!` stand for the colon on file systems that know none.
public struct MaildirName: Sendable, Hashable {
    /// What stays when flags change: the part that is compared.
    public var unique: [UInt8]
    public var flags: MailboxFlags

    /// Octets of the longest name that file systems take.
    public static let maximumLength = 255

    public init(unique: [UInt8], flags: MailboxFlags) {
        self.unique = unique
        self.flags = flags
    }

    /// - Parameters:
    ///   - name: the file's name.
    ///   - keywords: names of the letters a to z in this folder.
    public static func parse(_ name: [UInt8], keywords: MaildirKeywords = MaildirKeywords()) -> MaildirName {
        guard let marker = marker(in: name) else { return MaildirName(unique: name, flags: MailboxFlags()) }
        var flags = MailboxFlags()
        for letter in name[(marker + 3)...] {
            switch letter {
            case UInt8(ascii: "D"): flags.system.insert(.draft)
            case UInt8(ascii: "F"): flags.system.insert(.flagged)
            case UInt8(ascii: "P"): flags.add(keyword: "$Forwarded")
            case UInt8(ascii: "R"): flags.system.insert(.answered)
            case UInt8(ascii: "S"): flags.system.insert(.seen)
            case UInt8(ascii: "T"): flags.system.insert(.deleted)
            case UInt8(ascii: "a")...UInt8(ascii: "z"):
                if let keyword = keywords.name(of: letter) { flags.add(keyword: keyword) }
            // Other programs' own, such as `,S=…` behind the flags.
            case UInt8(ascii: ","): return MaildirName(unique: Array(name[..<marker]), flags: flags)
            default: break
            }
        }
        return MaildirName(unique: Array(name[..<marker]), flags: flags)
    }

    /// The last `:2,`.
    private static func marker(in name: [UInt8]) -> Int? {
        guard name.count >= 3 else { return nil }
        return (0...(name.count - 3)).last { place in
            name[place + 1] == UInt8(ascii: "2") && name[place + 2] == UInt8(ascii: ",")
                && (name[place] == UInt8(ascii: ":") || name[place] == UInt8(ascii: ";")
                    || name[place] == UInt8(ascii: "!"))
        }
    }

    /// The name with its flags in ASCII order, as readers want them. Keywords that get no letter in `keywords` are left out.
    public func encoded(keywords: inout MaildirKeywords) -> [UInt8] {
        var letters: [UInt8] = []
        if flags.system.contains(.draft) { letters.append(UInt8(ascii: "D")) }
        if flags.system.contains(.flagged) { letters.append(UInt8(ascii: "F")) }
        let forwarded = flags.keywords.contains { ASCII.equalsIgnoringCase($0.utf8, "$Forwarded".utf8) }
        if forwarded { letters.append(UInt8(ascii: "P")) }
        if flags.system.contains(.answered) { letters.append(UInt8(ascii: "R")) }
        if flags.system.contains(.seen) { letters.append(UInt8(ascii: "S")) }
        if flags.system.contains(.deleted) { letters.append(UInt8(ascii: "T")) }
        let own = flags.keywords.filter { !ASCII.equalsIgnoringCase($0.utf8, "$Forwarded".utf8) }
        letters += own.compactMap { keywords.letter(for: $0) }.sorted()
        return unique + Array(":2,".utf8) + letters
    }
}

/// The keywords of a Maildir folder: Dovecot's file `dovecot-keywords`, lines of a number and a name, 0 for the letter a.
public struct MaildirKeywords: Sendable, Hashable {
    /// By number, 0 to 25.
    private var names: [Int: String] = [:]

    /// Octets of a file that are read: 26 names, and lines of numbers that have no letter.
    public static let maximumFile = 64 << 10

    public init() {}

    /// Reads a file; lines that are none are passed over.
    public init(file: [UInt8]) {
        for line in file.prefix(Self.maximumFile).split(separator: ASCII.lineFeed) {
            let words = line.split(separator: ASCII.space, maxSplits: 1)
            guard words.count == 2, let number = ASCII.number(words[0], limit: 25) else { continue }
            let name = String(decoding: words[1].filter { $0 != ASCII.carriageReturn }, as: UTF8.self)
            if MailboxFlags.isKeyword(name) { names[Int(number)] = name }
        }
    }

    public func name(of letter: UInt8) -> String? {
        letter >= UInt8(ascii: "a") ? names[Int(letter - UInt8(ascii: "a"))] : nil
    }

    /// The letter of a keyword, a new one when it has none yet; nil when all 26 are taken.
    public mutating func letter(for keyword: String) -> UInt8? {
        if let known = names.first(where: { ASCII.equalsIgnoringCase($0.value.utf8, keyword.utf8) }) {
            return UInt8(ascii: "a") + UInt8(known.key)
        }
        guard MailboxFlags.isKeyword(keyword), let free = (0..<26).first(where: { names[$0] == nil }) else {
            return nil
        }
        names[free] = keyword
        return UInt8(ascii: "a") + UInt8(free)
    }

    /// The file's content; empty when there is no keyword.
    public var encoded: [UInt8] {
        Array(names.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined().utf8)
    }
}

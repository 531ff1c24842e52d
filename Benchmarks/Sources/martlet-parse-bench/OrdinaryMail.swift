/// Mail of the shapes that most mail has, the same in every run: what `martlet-parse-bench` measures when it is given no folder.
enum OrdinaryMail {
    /// Notes of text (about 4 KB), newsletters of text and HTML (about 40 KB), letters with a file (about 200 KB).
    static func shapes() -> [(name: String, messages: [[UInt8]])] {
        var random = Generator(state: 20_261_125)
        return [
            ("text, 4 KB", (0..<400).map { _ in note(&random) }),
            ("text and HTML, 40 KB", (0..<200).map { _ in newsletter(&random) }),
            ("with a file, 200 KB", (0..<60).map { _ in letter(&random) }),
        ]
    }

    private static func header(_ type: String, _ random: inout Generator) -> String {
        var header = ""
        for hop in 0..<4 {
            header +=
                "Received: from mx\(hop).example.org (mx\(hop).example.org [192.0.2.\(hop)])\r\n\tby in\(hop).example.net with ESMTPS"
                + " id \(random.word(12))\r\n\tfor <someone@example.net>; Wed, 25 Nov 2026 10:0\(hop):11 +0000\r\n"
        }
        header +=
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1;\r\n"
            + "\th=from:to:subject:date:message-id; bh=\(random.word(43))=;\r\n\tb=\(random.word(70))\r\n\t \(random.word(70))\r\n"
            + "\t \(random.word(70))\r\nFrom: =?utf-8?Q?J=C3=B6rg_Vogel?= <joerg@example.org>\r\nTo: Someone <someone@example.net>\r\n"
            + "Subject: \(random.sentence(6))\r\nDate: Wed, 25 Nov 2026 10:00:00 +0000\r\nMessage-ID: <\(random.word(20))@example.org>\r\n"
            + "List-Unsubscribe: <https://example.org/u/\(random.word(30))>\r\nMIME-Version: 1.0\r\nContent-Type: \(type)\r\n"
        return header
    }

    private static func note(_ random: inout Generator) -> [UInt8] {
        Array(
            (header("text/plain; charset=utf-8", &random) + "Content-Transfer-Encoding: 8bit\r\n\r\n"
                + text(2_500, &random)).utf8)
    }

    private static func newsletter(_ random: inout Generator) -> [UInt8] {
        let boundary = "=_\(random.word(24))"
        return Array(
            (header("multipart/alternative; boundary=\"\(boundary)\"", &random) + "\r\n"
                + part(boundary, "text/plain", text(8_000, &random))
                + part(boundary, "text/html", text(30_000, &random)) + "--\(boundary)--\r\n").utf8)
    }

    private static func letter(_ random: inout Generator) -> [UInt8] {
        let outer = "=_\(random.word(24))"
        let inner = "=_\(random.word(24))"
        var file = ""
        while file.utf8.count < 180_000 { file += random.word(76) + "\r\n" }
        return Array(
            (header("multipart/mixed; boundary=\"\(outer)\"", &random)
                + "\r\n--\(outer)\r\nContent-Type: multipart/alternative;"
                + " boundary=\"\(inner)\"\r\n\r\n" + part(inner, "text/plain", text(2_000, &random))
                + part(inner, "text/html", text(6_000, &random)) + "--\(inner)--\r\n\r\n--\(outer)\r\n"
                + "Content-Type: application/pdf; name=\"a.pdf\"\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n"
                + "Content-Transfer-Encoding: base64\r\n\r\n" + file + "--\(outer)--\r\n").utf8)
    }

    private static func part(_ boundary: String, _ type: String, _ body: String) -> String {
        "--\(boundary)\r\nContent-Type: \(type); charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\(body)\r\n"
    }

    /// Lines of 40 to 76 octets.
    private static func text(_ length: Int, _ random: inout Generator) -> String {
        var text = ""
        while text.utf8.count < length { text += random.sentence(6 + Int(random.next() % 5)) + "\r\n" }
        return text
    }
}

/// SplitMix64.
struct Generator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func word(_ length: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return String(decoding: (0..<length).map { _ in alphabet[Int(next() % 64)] }, as: UTF8.self)
    }

    mutating func sentence(_ words: Int) -> String {
        (0..<words).map { _ in word(3 + Int(next() % 6)) }.joined(separator: " ")
    }
}

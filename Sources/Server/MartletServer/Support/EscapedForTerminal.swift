/// Control characters, line ends, and characters that turn the reading direction as `\u{1B}`: texts from files and peers must not
/// drive a terminal or forge a line.
/// - Parameter limit: characters that are shown; what is longer ends in `…`.
package func escapedForTerminal(_ text: String, limit: Int = 200) -> String {
    let scalars = text.unicodeScalars
    guard scalars.count > limit || scalars.contains(where: JSONText.isEscaped) else { return text }
    var result = ""
    for scalar in scalars.prefix(limit) {
        if JSONText.isEscaped(scalar) {
            result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return scalars.count > limit ? result + "…" : result
}

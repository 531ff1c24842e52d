#if canImport(Glibc)
    internal import Glibc
#endif

/// A rule that a target checks besides not crashing. As `precondition`, but the rule is told in release builds too.
@inline(__always)
public func require(_ holds: @autoclosure () -> Bool, _ rule: StaticString, line: UInt = #line) {
    if !holds() { broken(rule, line: line) }
}

/// Ends the program because of a rule that does not hold.
public func broken(_ rule: StaticString, line: UInt = #line) -> Never {
    let text = "RULE BROKEN (line \(line)): \(rule)\n"
    _ = write(2, text, text.utf8.count)
    abort()
}

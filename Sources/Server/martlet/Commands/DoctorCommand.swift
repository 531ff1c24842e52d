import ArgumentParser
import MartletServer

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look at what mail meets outside, and say one next step.",
        subcommands: [Route.self])

    struct Route: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Walk the way of mail to an address, without sending any.",
            discussion: """
                Finds the servers of the address as a delivery would (MX, addresses, whether DNSSEC vouches for them), connects to
                each of them, takes TLS, asks for the recipient with MAIL FROM:<> and RCPT TO, and leaves with RSET and QUIT. For a
                domain alone its postmaster is asked for.

                  martlet doctor route bob@example.net
                  martlet doctor route example.net --config /etc/martlet/martlet.yaml --json

                A server that runs does it, with the configuration that it has; otherwise the command does. Names are looked up
                anew, without the answers that the server has kept: until these are too old, a delivery may still go by them.
                A server may still refuse a message whose recipient it takes.
                Exit code 0 when mail can be delivered, 1 when it cannot, now or ever.
                """)

        @Argument(help: ArgumentHelp("An address, or a domain.", valueName: "address")) var subject: String
        @OptionGroup var location: StoreLocation

        func run() async throws {
            let view = try await view()
            Terminal.write(location.json ? view.json + "\n" : view.text, to: 1)
            if !view.isGood { throw CommandFailure(.no) }
        }

        private func view() async throws -> RouteView {
            if try location.hasData() {
                guard case .route(let view) = try await location.perform(.doctorRoute(subject: subject)) else {
                    throw CommandFailure(.unreachable, "the server's answer is not understood")
                }
                return view
            }
            // Before there is a server, the way out can be looked at all the same.
            let doctor = RouteDoctor(try location.configuration(), clock: SystemClock())
            do throws(AdministrationFailure) {
                return RouteView(try await doctor.examine(subject))
            } catch {
                throw CommandFailure(.usage, error.description)
            }
        }
    }
}

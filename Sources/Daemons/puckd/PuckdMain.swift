import CLinux
import PuckRuntime

@main
struct Command {
    static func main() { exit(PuckCommand.run()) }
}

import CLinux
import HubRuntime

@main
struct Command {
    static func main() { exit(HubCommand.run()) }
}

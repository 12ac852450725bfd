"""Application commands: registered for all, or for one guild."""

from __future__ import annotations

from tests.peers.discord.calls import Answer, Request, Routes
from tests.peers.discord.commands import check_commands
from tests.peers.discord.errors import Json, Refusal, invalid, unknown
from tests.peers.discord.world import World


class CommandRoutes:
    """The routes that announce slash commands."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.routes: Routes = []
        for scope in ("/applications/{application_id}", "/applications/{application_id}/guilds/{guild_id}"):
            self.routes += [
                ("GET", f"{scope}/commands", self._get_commands),
                ("PUT", f"{scope}/commands", self._put_commands),
                ("POST", f"{scope}/commands", self._post_command),
                ("DELETE", f"{scope}/commands/{{command_id}}", self._delete_command),
            ]

    def _scope(self, request: Request) -> int | None:
        if request.id("application_id") != self.world.bot_id:
            raise Refusal(403, 20012, "You are not authorized to perform this action on this application")
        if "guild_id" not in request.match:
            return None
        if request.id("guild_id") != self.world.guild_id:
            raise Refusal(403, 50001, "Missing Access")
        return self.world.guild_id

    async def _get_commands(self, request: Request) -> Answer:
        return 200, self.world.commands.get(self._scope(request), [])

    async def _put_commands(self, request: Request) -> Answer:
        scope = self._scope(request)
        if not isinstance(request.body, list):
            invalid("_", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        commands = check_commands(request.body)
        self.world.commands[scope] = [self._register(command, scope) for command in commands]
        return 200, self.world.commands[scope]

    async def _post_command(self, request: Request) -> Answer:
        scope = self._scope(request)
        registered = self._register(check_commands([request.object], single=True)[0], scope)
        others = [known for known in self.world.commands.get(scope, []) if known["id"] != registered["id"]]
        created = len(others) == len(self.world.commands.get(scope, []))
        self.world.commands[scope] = [*others, registered]
        return 201 if created else 200, registered

    async def _delete_command(self, request: Request) -> Answer:
        scope = self._scope(request)
        known = self.world.commands.get(scope, [])
        left = [command for command in known if command["id"] != str(request.id("command_id"))]
        if len(left) == len(known):
            raise unknown("application command")
        self.world.commands[scope] = left
        return 204, None

    def _register(self, command: Json, scope: int | None) -> Json:
        """A command keeps its id as long as its name and type stay."""
        same = [
            known
            for known in self.world.commands.get(scope, [])
            if (known["name"], known["type"]) == (command["name"], command["type"])
        ]
        registered = {
            "id": same[0]["id"] if same else str(self.world.new_id()),
            "application_id": str(self.world.bot_id),
            "version": str(self.world.new_id()),
            **command,
        }
        if scope is not None:
            registered["guild_id"] = str(scope)
        return registered

"""Words of the English lists that are things of one sort: a row of these is a shopping list or a row of colours, as no
phrase drawn from a list is."""

from __future__ import annotations

from collections.abc import Sequence

_SORTS = tuple(
    frozenset(words.split())
    for words in (
        # food
        """apple avocado bacon banana bean beef beer berry biscuit bread broccoli burger butter cabbage cake
        candy carrot cereal cheese cherry chicken chocolate cinnamon coconut coffee cookie corn cream
        cucumber dessert dinner egg fish flour fruit garlic ginger grape honey ice jam jelly juice lemon
        lunch mango maple meat melon milk muffin mushroom noodle nut oil olive onion orange oyster pasta
        peach peanut pear pepper pickle pizza plum pork potato pumpkin rib rice rose salad salmon salt
        sandwich sauce sausage shrimp snack soda soup soy spice spinach squash steak sugar sushi tea toast
        tofu tomato tuna turkey vanilla vinegar walnut waffle water wheat wine yogurt""",
        # animals
        """alien ant animal ape badger bat bear beaver bee bird bison buffalo bull butterfly camel canary cat
        cattle cheetah chicken chimp cow coyote crab cricket crocodile crow deer dinosaur dog dolphin donkey
        dove dragon duck eagle elephant elk fish flamingo fly fox frog gecko giraffe goat goose gorilla
        hamster hawk hedgehog hen hippo hornet horse insect jaguar kangaroo kitten kiwi koala lamb lion
        lizard llama lobster monkey mosquito moth mouse mule octopus ostrich otter owl oyster panda panther
        parrot peacock pelican penguin pet pig pigeon pony puppy rabbit raccoon rat raven rhino salmon
        scorpion seal shark sheep shrimp slug snail snake sparrow spider squirrel swan tiger toad tortoise
        tuna turkey turtle viper walrus wasp whale wolf worm zebra""",
        # colours, seasons, weather, landscape
        """red green blue black white yellow orange pink silver gold golden brown purple gray grey violet coral
        bronze spring summer autumn winter season sun rain snow wind cloud storm fog ice sky moon star
        weather air earth fire water nature walk forest river mountain lake ocean beach island sea tree
        flower grass field hill valley desert garden leaf wood stone rock sand wave coast jungle canyon
        volcano park""",
        # people
        """father mother brother sister uncle aunt cousin son wife husband friend baby boy girl man woman child
        kid family parent daughter nephew niece grandmother people person young old doctor teacher student
        nurse lawyer actor artist pilot driver farmer chef soldier king queen prince princess bride boss
        worker guard police""",
        # things in a house, at school, at work, on a journey
        """school teacher student book pencil pen paper desk chair window door wall floor clock table lamp bed
        bag hat shoe sock shirt coat jacket dress glove umbrella mirror spoon fork knife plate bowl cup
        glass bottle box basket brush soap towel blanket pillow rug sofa shelf drawer oven kitchen bathroom
        room house roof garage phone camera laptop computer cable charger battery radio piano guitar bicycle
        car bus train taxi truck boat ship plane flight hotel ticket passport map luggage suitcase travel
        trip tent rope hammer tool ladder nail screen mouse keyboard watch ring key wallet toy ball doll
        bike helmet office meeting report monday morning coffee lunch dinner movie sleep card envelope stamp
        magazine letter""",
        # money and screens
        """coin buy sell send lose market price high low token swap gas fee fail wait again bank card credit
        debit cash limit daily weekly monthly annual order page show cancel reject accept twice then but
        missing miss open app click wallet choose press enter amount check address confirm done network
        server update restart phone clear cache error same code still balance transfer account money pay
        payment deposit withdraw exchange trade stock rate ticket support agent answer question customer
        service problem screen login password email message""",
    )
)


def is_of_one_sort(words: Sequence[str]) -> bool:
    """Whether half of some words and more are of one sort. Twelve drawn from a list are once in 300,000 times."""
    return any(sum(word in sort for word in words) * 2 >= len(words) for sort in _SORTS)

using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rlhf.Pipeline.Bench;

/// <summary>Damages the structure of a JSON file and leaves it JSON: what programs of other versions, scripts and hands make of it.</summary>
public static class FuzzJson
{
    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "-1", "-100", "1.5", "1e30", "-1e999", "2147483648", "16777216", "9223372036854775808", "\"\"", "\"x\"", "\"1\"", "[]", "{}", "[null]", "[[]]", "[{}]", "[-1]", "{\"x\": 1}",
        "{\"type\": \"x\"}",
    ];

    /// <summary>One change at one place: a value or key less, an empty list or object, a value of another type, a number out of range, a part twice, wrapped or renamed.</summary>
    /// <param name="whole">A JSON document, or one a line.</param>
    /// <param name="at">A number from 0 to one below its argument.</param>
    public static byte[] Mutate(byte[] whole, Func<int, int> at)
    {
        string text = Encoding.UTF8.GetString(whole);
        if (Parse(text) is { } document) return Encoding.UTF8.GetBytes(Change(document, at));
        string[] lines = text.Split('\n');
        int line = at(lines.Length);
        if (Parse(lines[line]) is { } row) lines[line] = Change(row, at);
        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }

    private static JsonArray? Parse(string text)
    {
        try
        {
            return [JsonNode.Parse(text)]; // in a list, so that the root has a parent as all others
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Change(JsonArray document, Func<int, int> at)
    {
        // Down from the root, so that a long vocabulary is not nearly all that is tried.
        (JsonNode parent, int index) = (document, 0);
        while (Count(Child(parent, index)) is > 0 and int count && at(5) > 0) (parent, index) = (Child(parent, index)!, at(count));
        JsonNode? node = Child(parent, index);
        switch (at(8))
        {
            case 0 when parent != document:
                Remove(parent, index);
                break;
            case 1:
                Replace(parent, index, node switch { JsonObject => new JsonObject(), JsonArray => new JsonArray(), _ => "" });
                break;
            case 2:
                Replace(parent, index, new JsonArray(node?.DeepClone()));
                break;
            case 3 when parent is JsonArray list && parent != document:
                list.Insert(at(list.Count + 1), node?.DeepClone());
                break;
            case 3 when parent is JsonObject named:
                string name = named.GetAt(index).Key;
                Remove(parent, index);
                named[name + "_"] = node;
                break;
            case 4 when Count(parent) > 1:
                Replace(parent, index, Child(parent, at(Count(parent)))?.DeepClone()); // a neighbour's value
                break;
            case 5 when node is JsonObject of && of.Count > 0:
                Replace(parent, index, of.GetAt(at(of.Count)).Value?.DeepClone());
                break;
            default:
                Replace(parent, index, JsonNode.Parse(Values[at(Values.Length)]));
                break;
        }

        return document[0]?.ToJsonString() ?? "null";
    }

    private static int Count(JsonNode? node) => node switch { JsonObject named => named.Count, JsonArray list => list.Count, _ => 0 };

    private static JsonNode? Child(JsonNode parent, int index) => parent is JsonObject named ? named.GetAt(index).Value : parent[index];

    private static void Remove(JsonNode parent, int index)
    {
        if (parent is JsonObject named) named.RemoveAt(index);
        else ((JsonArray)parent).RemoveAt(index);
    }

    private static void Replace(JsonNode parent, int index, JsonNode? value)
    {
        if (parent is JsonObject named) named.SetAt(index, value);
        else ((JsonArray)parent)[index] = value;
    }
}

using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Rlhf.Core;

/// <summary>
/// YAML text to <see cref="ConfigNode"/>s. Takes the plain subset that configurations need: no anchors, aliases, tags or second
/// documents, and bounded depth and size, so that a file from a stranger cannot exhaust memory or stack.
/// </summary>
internal static class YamlReader
{
    public const int MaximumBytes = 1 << 20;
    private const int MaximumDepth = 24;

    /// <summary>Reads a file. <paramref name="shownAs"/> is its name in messages.</summary>
    public static ConfigNode ReadFile(string path, string shownAs)
    {
        string text;
        try
        {
            long length = new FileInfo(path).Length;
            if (length > MaximumBytes)
                throw new ConfigurationException($"{shownAs}: the file has {length} bytes; a configuration has at most {MaximumBytes}. Is it the right file?");
            text = File.ReadAllText(path);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            throw new ConfigurationException(FileErrors.ForReading(shownAs, error).Message, error);
        }

        return Read(text, new ConfigPlace(shownAs, 0, 0, Path.GetDirectoryName(Path.GetFullPath(path))!), isFile: true);
    }

    /// <summary>Reads a YAML text with line numbers.</summary>
    public static ConfigNode ReadText(string text, ConfigPlace place) => Read(text, place, isFile: true);

    /// <summary>Reads the right-hand side of <c>--set key=value</c>.</summary>
    public static ConfigNode ReadValue(string text, ConfigPlace place) => Read(text, place, isFile: false);

    private static ConfigNode Read(string text, ConfigPlace place, bool isFile)
    {
        Reader reader = new(place, isFile);
        Parser parser = new(new StringReader(text));
        try
        {
            parser.Consume<StreamStart>();
            if (parser.TryConsume<StreamEnd>(out _)) return reader.Empty(text);
            parser.Consume<DocumentStart>();
            ConfigNode node = reader.Node(parser, 0);
            DocumentEnd end = parser.Consume<DocumentEnd>();
            if (!parser.TryConsume<StreamEnd>(out _)) throw reader.Problem(end.End, "a second document begins here; a configuration is one document.");
            return node;
        }
        catch (YamlException error)
        {
            string message = error.InnerException is YamlException inner ? inner.Message : error.Message;
            throw reader.Problem(error.Start, $"this is not valid YAML: {message.TrimEnd('.')}.", error);
        }
        catch (InvalidOperationException error)
        {
            // YamlDotNet's scanner fails like this, without a place, on some unclosed brackets; the last good event is the nearest place.
            throw reader.Problem(parser.Current?.End ?? Mark.Empty, "this is not valid YAML: a bracket or a quote that opens near here is not closed.", error);
        }
    }

    private sealed class Reader(ConfigPlace place, bool isFile)
    {
        public ConfigNode Empty(string text) =>
            isFile ? new ConfigMapping([], place) : new ConfigScalar(text, false, place);

        public ConfigurationException Problem(Mark mark, string message, Exception? inner = null) =>
            new($"{At(mark).WithColumn}: {message}", inner);

        public ConfigNode Node(Parser parser, int depth)
        {
            if (parser.Current is NodeEvent { Anchor.IsEmpty: false } anchored) throw Problem(anchored.Start, "anchors (&name) are not supported. Write the value out.");
            if (depth > MaximumDepth) throw Problem(parser.Current!.Start, $"nested too deeply; at most {MaximumDepth} levels are allowed.");
            switch (parser.Current)
            {
                case Scalar:
                    Scalar scalar = parser.Consume<Scalar>();
                    return new ConfigScalar(scalar.Value, scalar.Style is not ScalarStyle.Plain, At(scalar.Start));
                case SequenceStart:
                    SequenceStart list = parser.Consume<SequenceStart>();
                    List<ConfigNode> items = [];
                    while (!parser.TryConsume<SequenceEnd>(out _)) items.Add(Node(parser, depth + 1));
                    return new ConfigSequence(items, At(list.Start));
                case MappingStart:
                    return Mapping(parser, depth);
                case AnchorAlias alias:
                    throw Problem(alias.Start, "aliases (*name) are not supported. Write the value out.");
                default:
                    throw Problem(parser.Current!.Start, "a value is expected here.");
            }
        }

        private ConfigMapping Mapping(Parser parser, int depth)
        {
            MappingStart start = parser.Consume<MappingStart>();
            ConfigMapping mapping = new([], At(start.Start));
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                if (parser.Current is not Scalar) throw Problem(parser.Current!.Start, "a key must be plain text.");
                Scalar key = parser.Consume<Scalar>();
                ConfigPlace keyPlace = At(key.Start);
                if (mapping.Find(key.Value) is { } earlier)
                    throw Problem(key.Start, $"the key '{key.Value}' is here for the second time; the first is on line {earlier.KeyPlace.Line}. Remove one.");
                ConfigNode value = Node(parser, depth + 1);
                mapping.Entries.Add(new ConfigEntry(key.Value, keyPlace, value));
            }

            return mapping;
        }

        private ConfigPlace At(Mark mark) => isFile ? place with { Line = (int)mark.Line, Column = (int)mark.Column } : place;
    }
}

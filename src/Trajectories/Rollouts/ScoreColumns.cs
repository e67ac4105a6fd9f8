using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>
/// Which columns a scoring run adds: those that it computes and no others, so that what the input has from elsewhere is kept. A column of the input
/// is replaced only where it is known to come from a scoring run.
/// </summary>
public sealed record ScoreColumns
{
    /// <summary>True: rewards and their weighted sum.</summary>
    public bool Rewards { get; init; } = true;

    /// <summary>True: rewards per token.</summary>
    public bool TokenRewards { get; init; } = true;

    /// <summary>True: log-probs under the reference.</summary>
    public bool Reference { get; init; } = true;

    /// <summary>The name of the weighted sum.</summary>
    public string ScoreName { get; init; } = ScoreSchema.Score;

    /// <summary>The name of the map of rewards.</summary>
    public string RewardsName { get; init; } = ScoreSchema.Rewards;

    /// <summary>Names and types in the order in which they are written.</summary>
    public IReadOnlyList<DataColumn> Columns =>
    [
        .. Rewards ? [new DataColumn(RewardsName, ColumnType.DoubleMap)] : Array.Empty<DataColumn>(),
        .. TokenRewards ? [new DataColumn(ScoreSchema.TokenRewards, ColumnType.FloatList)] : Array.Empty<DataColumn>(),
        .. Rewards ? [new DataColumn(ScoreName, ColumnType.Double)] : Array.Empty<DataColumn>(),
        .. Reference ? [new DataColumn(ScoreSchema.Reference, ColumnType.FloatList)] : Array.Empty<DataColumn>(),
    ];

    /// <summary>
    /// Which columns of an input these replace. Rewards and score are a scoring run's where the score stands right behind the map (and the rewards
    /// per token), as it is written; anyone else's score stands elsewhere.
    /// </summary>
    /// <param name="input">The input, for messages.</param>
    /// <param name="file">All its columns.</param>
    /// <exception cref="BadDataException">A column of the same name is somebody else's and would be lost.</exception>
    public IReadOnlyList<string> Replaced(string input, IReadOnlyList<DataColumn> file)
    {
        FileFormat format = FileFormats.Of(DataFiles.Of([input])[0]);
        var replaced = new List<string>();
        bool ownRewards = Rewards && AreOwn(file, format);
        foreach (DataColumn column in Columns)
        {
            // SQL does not tell upper from lower case, so Score would be lost to score as well.
            if (file.FirstOrDefault(c => c.Name.Equals(column.Name, StringComparison.OrdinalIgnoreCase)) is not { } found) continue;
            bool isReward = column.Name == RewardsName || column.Name == ScoreName;
            if (isReward ? !ownRewards : !Sql.CanRead(found.SqlType, column.Type, format)) throw Lost(input, found, column);
            replaced.Add(found.Name);
        }

        return replaced;
    }

    private bool AreOwn(IReadOnlyList<DataColumn> file, FileFormat format)
    {
        int rewards = Find(file, RewardsName), score = Find(file, ScoreName);
        if (rewards < 0 || score < 0 || !Sql.CanRead(file[rewards].SqlType, ColumnType.DoubleMap, format)) return false;
        int behind = rewards + 1;
        if (behind < file.Count && file[behind].Name == ScoreSchema.TokenRewards) behind++;
        return score == behind;
    }

    private static int Find(IReadOnlyList<DataColumn> file, string name)
    {
        for (int i = 0; i < file.Count; i++)
        {
            if (file[i].Name == name) return i;
        }

        return -1;
    }

    private BadDataException Lost(string input, DataColumn found, DataColumn column)
    {
        string remedy = column.Name == ScoreName ? "Give --score-column NAME to write the new one under another name, or rename the input's."
            : column.Name == RewardsName ? "Give --rewards-column NAME to write the new one under another name, or rename the input's."
            : "Rename the input's column.";
        return new BadDataException($"{input} has a column '{found.Name}' ({found.SqlType}) that no scoring run wrote; the new '{column.Name}' would take its place and it would be lost. {remedy}");
    }
}

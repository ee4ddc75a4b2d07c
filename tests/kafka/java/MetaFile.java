// The meta.properties of a data directory, written as Kafka's storage tool does and checked as its broker does.

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.metadata.properties.MetaProperties;
import org.apache.kafka.metadata.properties.MetaPropertiesEnsemble;
import org.apache.kafka.metadata.properties.MetaPropertiesEnsemble.VerificationFlag;
import org.apache.kafka.metadata.properties.MetaPropertiesVersion;
import org.apache.kafka.metadata.properties.PropertiesUtils;

class MetaFile {
    /** Reads it; of a directory that is new, writes it first. */
    static MetaProperties load(File dir) throws IOException {
        File file = new File(dir, MetaPropertiesEnsemble.META_PROPERTIES_NAME);
        if (!file.exists()) {
            Files.createDirectories(dir.toPath());
            MetaProperties fresh = new MetaProperties.Builder()
                .setVersion(MetaPropertiesVersion.V1)
                .setClusterId(Uuid.randomUuid().toString())
                .setNodeId(1)
                .setDirectoryId(Uuid.randomUuid())
                .build();
            PropertiesUtils.writePropertiesFile(fresh.toProperties(), file.getPath(), false);
        }
        MetaPropertiesEnsemble ensemble =
            new MetaPropertiesEnsemble.Loader().addLogDirs(List.of(dir.getPath())).load();
        ensemble.verify(Optional.empty(), OptionalInt.empty(), EnumSet.of(VerificationFlag.REQUIRE_AT_LEAST_ONE_VALID));
        return ensemble.logDirProps().get(dir.getPath());
    }
}
